// Which control groups a container machine gets, on hosts with cgroup v1 (a tree for each controller) and v2 (one).

/** What the host mounts at /sys/fs/cgroup, and what the machine mounts there. */
export type CgroupPlan = {
  readonly version: 1 | 2
  /** The machine's own folder in each of the host's trees, absolute. */
  readonly folders: readonly string[]
  /**
   * The machine's mounts, as lines of an fstab whose mount points count from its /sys/fs/cgroup. Inside a cgroup
   * namespace each shows only the machine's own folder, writable.
   */
  readonly table: string
}

const TOP = '/sys/fs/cgroup'

/**
 * Plans the control groups of the machine called `name` from the text of the host's /proc/self/mounts. A host with
 * any v1 controller counts as version 1 ("hybrid" included); its empty v2 tree is passed on too.
 */
export function planCgroups(mounts: string, name: string): CgroupPlan {
  const trees = mounts.split('\n').flatMap(line => {
    const [, point = '', type = '', options = ''] = line.split(' ')
    const ours = (type === 'cgroup' || type === 'cgroup2') && (point === TOP || point.startsWith(`${TOP}/`))
    return ours ? [{ point, type, options: options.split(',').filter(isHierarchyOption) }] : []
  })
  const version = trees.some(({ type }) => type === 'cgroup') ? 1 : 2
  const lines = trees.map(({ point, type, options }) => {
    const flags = ['X-mount.mkdir', ...(type === 'cgroup' ? hierarchyOptions(options) : [])]
    return `${type} ${point.slice(TOP.length)} ${type} ${flags.join(',')} 0 0`
  })
  const top = version === 1 ? ['tmpfs  tmpfs mode=755 0 0'] : []
  return {
    version,
    folders: trees.map(({ point }) => `${point}/${name}`),
    table: [...top, ...lines, ''].join('\n'),
  }
}

/** What of a v1 mount's options names its hierarchy, rather than how it is mounted here. */
function isHierarchyOption(option: string): boolean {
  return !/^(rw|ro|nosuid|nodev|noexec|relatime|noatime|seclabel|release_agent=.*|xattr|clone_children)$/.test(
    option,
  )
}

function hierarchyOptions(options: readonly string[]): string[] {
  return options.some(option => option.startsWith('name=')) ? ['none', ...options] : [...options]
}
