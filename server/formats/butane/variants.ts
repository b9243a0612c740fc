// The Butane variants and versions that we know: which Ignition spec each gives, and what it adds or forbids.

/** One version of a variant. */
export type Variant = {
  /** Minor number of the Ignition spec that comes out: 4 for 3.4.0. */
  readonly spec: number
  /** Minor number of the fcos version, for what only fcos has; undefined for others. */
  readonly fcos?: number
  /** Paths of the Ignition config that the variant's OS has no use for. */
  readonly forbids: readonly string[]
}

/** Image builders make the disks of these. */
const EDGE = ['kernelArguments', 'storage.disks', 'storage.filesystems', 'storage.luks', 'storage.raid']
const FLATCAR = ['storage.luks.clevis']

/** The Ignition specs of fcos 1.0, 1.1, and so on. */
const FCOS_SPECS = [0, 1, 2, 2, 3, 4, 5, 6]

const VARIANTS: ReadonlyMap<string, Variant> = new Map<string, Variant>([
  ...FCOS_SPECS.map((spec, fcos): [string, Variant] => [`fcos 1.${fcos}.0`, { spec, fcos, forbids: [] }]),
  ['flatcar 1.0.0', { spec: 3, forbids: FLATCAR }],
  ['flatcar 1.1.0', { spec: 4, forbids: FLATCAR }],
  ['r4e 1.0.0', { spec: 3, forbids: EDGE }],
  ['r4e 1.1.0', { spec: 4, forbids: EDGE }],
  ['fiot 1.0.0', { spec: 4, forbids: EDGE }],
])

/** The variant of this name and version, or why there is none. */
export function variantOf(name: string, version: string): Variant | string {
  if (name === '') return 'variant is wanted: fcos, flatcar, r4e or fiot'
  const variant = VARIANTS.get(`${name} ${version.replaceAll(/(?<![\w.+-])0+(?=\d)|(?<=\.)0+(?=\d)/g, '')}`)
  if (variant !== undefined) return variant
  // What Butane writes for these is of no use at a boot.
  if (name === 'openshift') {
    return 'variant openshift gives a MachineConfig for a cluster that runs, with which no machine boots; write variant: fcos with version: 1.5.0'
  }
  const versions = [...VARIANTS.keys()]
    .filter(key => key.startsWith(`${name} `))
    .map(key => key.slice(name.length + 1))
  if (versions.length === 0) return `variant "${name}" is not known here; fcos, flatcar, r4e and fiot are`
  if (version.endsWith('-experimental')) {
    return `version "${version}" is experimental: no released Ignition reads what it gives; write one of ${versions.join(', ')}`
  }
  return `version ${version === '' ? 'is wanted' : `"${version}" is not known`} for variant ${name}: ${versions.join(', ')}`
}
