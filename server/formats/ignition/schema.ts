// The fields of an Ignition config, as data: name, type, and the first spec that has them. The order is that of the
// Go structs, because programs that compare configs byte by byte have learned it.

/** The type of a field. */
export type Type = 'string' | 'integer' | 'boolean' | ListType | ObjectType
export type ListType = { readonly list: Type }
export type ObjectType = { readonly fields: readonly Field[] }

export type Field = {
  readonly name: string
  readonly type: Type
  /** Minor number of the first 3.x spec with this field. */
  readonly since: number
  /** Written even when empty, because it is what distinguishes its object from others. */
  readonly kept: boolean
  /**
   * The specs, first and last by minor number, whose Go struct holds the value itself and no pointer to it: there `null` after a
   * value of the same key leaves that value, elsewhere it removes it. Lists have none.
   */
  readonly plain: readonly [first: number, last: number] | undefined
}

/** The oldest and the newest stable spec, by minor number. */
export const OLDEST_SPEC = 0
export const NEWEST_SPEC = 6
const EACH_SPEC = [OLDEST_SPEC, NEWEST_SPEC] as const

const verification: ObjectType = object({ hash: 'string' })
const header: ObjectType = object({ 'name!': 'string', value: 'string' })
/** Content, in a file or a key file. */
export const resource: ObjectType = object({
  compression: 'string',
  'httpHeaders@1': { list: header },
  source: 'string',
  verification,
})
/** A config elsewhere; 3.0 has fewer fields for it than for content. */
export const reference: ObjectType = object({
  'compression@1': 'string',
  'httpHeaders@1': { list: header },
  source: 'string',
  verification,
})
/** A certificate elsewhere. */
export const authority: ObjectType = object({
  'compression@1': 'string',
  'httpHeaders@1': { list: header },
  'source=0-0': 'string',
  verification,
})
export const owner: ObjectType = object({ id: 'integer', name: 'string' })
const node = { group: owner, overwrite: 'boolean', 'path!': 'string', user: owner } as const
export const texts: ListType = { list: 'string' }

const ignition: ObjectType = object({
  config: object({ merge: { list: reference }, replace: reference }),
  'proxy@1': object({ httpProxy: 'string', httpsProxy: 'string', noProxy: texts }),
  security: object({ tls: object({ certificateAuthorities: { list: authority } }) }),
  timeouts: object({ httpResponseHeaders: 'integer', httpTotal: 'integer' }),
  'version!': 'string',
})

const group: ObjectType = object({
  gid: 'integer',
  'name!': 'string',
  passwordHash: 'string',
  'shouldExist@2': 'boolean',
  system: 'boolean',
})

export const user: ObjectType = object({
  gecos: 'string',
  groups: texts,
  homeDir: 'string',
  'name!': 'string',
  noCreateHome: 'boolean',
  noLogInit: 'boolean',
  noUserGroup: 'boolean',
  passwordHash: 'string',
  primaryGroup: 'string',
  sshAuthorizedKeys: texts,
  shell: 'string',
  'shouldExist@2': 'boolean',
  system: 'boolean',
  uid: 'integer',
})

const partition: ObjectType = object({
  guid: 'string',
  label: 'string',
  'number=0-6': 'integer',
  'resize@2': 'boolean',
  shouldExist: 'boolean',
  sizeMiB: 'integer',
  startMiB: 'integer',
  typeGuid: 'string',
  wipePartitionEntry: 'boolean',
})

export const filesystem: ObjectType = object({
  'device!': 'string',
  format: 'string',
  label: 'string',
  'mountOptions@1': texts,
  options: texts,
  path: 'string',
  uuid: 'string',
  wipeFilesystem: 'boolean',
})

export const tang: ObjectType = object({
  'advertisement@4': 'string',
  thumbprint: 'string',
  'url=0-6': 'string',
})

const luks: ObjectType = object({
  'cex@5': object({ enabled: 'boolean' }),
  'clevis=3-6': object({
    'custom=3-6': object({ 'config=0-2': 'string', needsNetwork: 'boolean', 'pin=0-2': 'string' }),
    tang: { list: tang },
    threshold: 'integer',
    tpm2: 'boolean',
  }),
  device: 'string',
  'discard@4': 'boolean',
  keyFile: resource,
  label: 'string',
  'name!': 'string',
  'openOptions@4': texts,
  options: texts,
  uuid: 'string',
  wipeVolume: 'boolean',
})

export const storage: ObjectType = object({
  directories: { list: object({ ...node, mode: 'integer' }) },
  disks: {
    list: object({ 'device!': 'string', partitions: { list: partition }, wipeTable: 'boolean' }),
  },
  files: { list: object({ ...node, append: { list: resource }, contents: resource, mode: 'integer' }) },
  filesystems: { list: filesystem },
  links: { list: object({ ...node, hard: 'boolean', 'target=0-2': 'string' }) },
  'luks@2': { list: luks },
  raid: {
    list: object({
      devices: texts,
      'level=0-2': 'string',
      'name!': 'string',
      options: texts,
      spares: 'integer',
    }),
  },
})

export const dropin: ObjectType = object({ contents: 'string', 'name!': 'string' })

export const unit: ObjectType = object({
  contents: 'string',
  dropins: { list: dropin },
  enabled: 'boolean',
  mask: 'boolean',
  'name!': 'string',
})

/** A whole config. */
export const CONFIG: ObjectType = object({
  ignition,
  'kernelArguments@3': object({ shouldExist: texts, shouldNotExist: texts }),
  passwd: object({ groups: { list: group }, users: { list: user } }),
  storage,
  systemd: object({ units: { list: unit } }),
})

/** Fields from a short hand: `name`, `name!` (kept when empty), `name@4` (since spec 3.4), `name=0-2` (plain from 3.0 to 3.2). */
export function object(fields: Readonly<Record<string, Type>>): ObjectType {
  return {
    fields: Object.entries(fields).map(([text, type]) => {
      const [, name = '', mark, since = '0', first, last] =
        /^(\w+)(!)?(?:@(\d))?(?:=(\d)-(\d))?$/.exec(text) ?? []
      const kept = mark !== undefined
      const always = kept || (typeof type !== 'string' && 'fields' in type)
      const range = first === undefined ? undefined : ([Number(first), Number(last)] as const)
      return { name, type, since: Number(since), kept, plain: range ?? (always ? EACH_SPEC : undefined) }
    }),
  }
}
