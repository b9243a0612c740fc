// An Ignition config as TypeScript sees it: the union of the stable specs 3.0 to 3.6. Which field belongs to which
// spec is in schema.ts; names are those of the JSON.

/** A whole number of 64 bits: a bigint where a number would round it. */
export type Integer = number | bigint

/** A user or group that owns a node, by number or by name. */
export type Owner = { readonly id?: Integer; readonly name?: string }

/** Something to fetch, or to decode from a `data:` URL. */
export type Resource = {
  readonly compression?: string
  readonly httpHeaders?: readonly { readonly name?: string; readonly value?: string }[]
  readonly source?: string
  readonly verification?: { readonly hash?: string }
}

export type FileNode = {
  readonly group?: Owner
  readonly overwrite?: boolean
  readonly path?: string
  readonly user?: Owner
}

export type Directory = FileNode & { readonly mode?: Integer }
export type File = FileNode & {
  readonly append?: readonly Resource[]
  readonly contents?: Resource
  readonly mode?: Integer
}
export type Link = FileNode & { readonly hard?: boolean; readonly target?: string }

export type Partition = {
  readonly guid?: string
  readonly label?: string
  readonly number?: Integer
  readonly resize?: boolean
  readonly shouldExist?: boolean
  readonly sizeMiB?: Integer
  readonly startMiB?: Integer
  readonly typeGuid?: string
  readonly wipePartitionEntry?: boolean
}

export type Disk = {
  readonly device?: string
  readonly partitions?: readonly Partition[]
  readonly wipeTable?: boolean
}

export type Filesystem = {
  readonly device?: string
  readonly format?: string
  readonly label?: string
  readonly mountOptions?: readonly string[]
  readonly options?: readonly string[]
  readonly path?: string
  readonly uuid?: string
  readonly wipeFilesystem?: boolean
}

export type Tang = {
  readonly advertisement?: string
  readonly thumbprint?: string
  readonly url?: string
}

export type Clevis = {
  readonly custom?: { readonly config?: string; readonly needsNetwork?: boolean; readonly pin?: string }
  readonly tang?: readonly Tang[]
  readonly threshold?: Integer
  readonly tpm2?: boolean
}

export type Luks = {
  readonly cex?: { readonly enabled?: boolean }
  readonly clevis?: Clevis
  readonly device?: string
  readonly discard?: boolean
  readonly keyFile?: Resource
  readonly label?: string
  readonly name?: string
  readonly openOptions?: readonly string[]
  readonly options?: readonly string[]
  readonly uuid?: string
  readonly wipeVolume?: boolean
}

export type Raid = {
  readonly devices?: readonly string[]
  readonly level?: string
  readonly name?: string
  readonly options?: readonly string[]
  readonly spares?: Integer
}

export type Dropin = { readonly contents?: string; readonly name?: string }

export type Unit = {
  readonly contents?: string
  readonly dropins?: readonly Dropin[]
  readonly enabled?: boolean
  readonly mask?: boolean
  readonly name?: string
}

export type Group = {
  readonly gid?: Integer
  readonly name?: string
  readonly passwordHash?: string
  readonly shouldExist?: boolean
  readonly system?: boolean
}

export type User = {
  readonly gecos?: string
  readonly groups?: readonly string[]
  readonly homeDir?: string
  readonly name?: string
  readonly noCreateHome?: boolean
  readonly noLogInit?: boolean
  readonly noUserGroup?: boolean
  readonly passwordHash?: string
  readonly primaryGroup?: string
  readonly sshAuthorizedKeys?: readonly string[]
  readonly shell?: string
  readonly shouldExist?: boolean
  readonly system?: boolean
  readonly uid?: Integer
}

export type Storage = {
  readonly directories?: readonly Directory[]
  readonly disks?: readonly Disk[]
  readonly files?: readonly File[]
  readonly filesystems?: readonly Filesystem[]
  readonly links?: readonly Link[]
  readonly luks?: readonly Luks[]
  readonly raid?: readonly Raid[]
}

/** A whole config. Whatever was absent, null or of another spec is absent here. */
export type IgnitionConfig = {
  readonly ignition?: {
    readonly config?: { readonly merge?: readonly Resource[]; readonly replace?: Resource }
    readonly proxy?: {
      readonly httpProxy?: string
      readonly httpsProxy?: string
      readonly noProxy?: readonly string[]
    }
    readonly security?: { readonly tls?: { readonly certificateAuthorities?: readonly Resource[] } }
    readonly timeouts?: { readonly httpResponseHeaders?: Integer; readonly httpTotal?: Integer }
    readonly version?: string
  }
  readonly kernelArguments?: {
    readonly shouldExist?: readonly string[]
    readonly shouldNotExist?: readonly string[]
  }
  readonly passwd?: { readonly groups?: readonly Group[]; readonly users?: readonly User[] }
  readonly storage?: Storage
  readonly systemd?: { readonly units?: readonly Unit[] }
}
