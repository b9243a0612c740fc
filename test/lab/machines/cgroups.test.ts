import t from 'tap'
import { planCgroups } from '#lab/machines/cgroups.ts'

t.test('each tree of cgroup v1 gives the machine its own folder and mount', async t => {
  const mounts = `tmpfs /sys/fs/cgroup tmpfs ro,mode=755 0 0
cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,nosuid,relatime,cpu,cpuacct 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,release_agent=/x,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0
proc /proc proc rw 0 0
`
  t.same(planCgroups(mounts, 'pl-small-ctl-1'), {
    version: 1,
    folders: [
      '/sys/fs/cgroup/cpu,cpuacct/pl-small-ctl-1',
      '/sys/fs/cgroup/systemd/pl-small-ctl-1',
      '/sys/fs/cgroup/unified/pl-small-ctl-1',
    ],
    table: `tmpfs  tmpfs mode=755 0 0
cgroup /cpu,cpuacct cgroup X-mount.mkdir,cpu,cpuacct 0 0
cgroup /systemd cgroup X-mount.mkdir,none,name=systemd 0 0
cgroup2 /unified cgroup2 X-mount.mkdir 0 0
`,
  })
})

t.test('the one tree of cgroup v2 is mounted whole', async t => {
  t.same(planCgroups('cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate 0 0\n', 'pl-a-b'), {
    version: 2,
    folders: ['/sys/fs/cgroup/pl-a-b'],
    table: 'cgroup2  cgroup2 X-mount.mkdir 0 0\n',
  })
})
