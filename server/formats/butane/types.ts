// A Butane config as TypeScript sees it: an Ignition config, plus what only Butane has. Names are Ignition's way of
// writing; the YAML has them with underscores.

import type {
  Directory,
  Dropin,
  File,
  Filesystem,
  IgnitionConfig,
  Owner,
  Resource,
  Storage,
  Tang,
  Unit,
  User,
} from '../ignition/types.ts'

/** A resource whose content is in the config, or in a file beside it. */
export type SugaredResource = Resource & { readonly inline?: string; readonly local?: string }
export type SugaredFile = Omit<File, 'append' | 'contents'> & {
  readonly append?: readonly SugaredResource[]
  readonly contents?: SugaredResource
}
export type SugaredFilesystem = Filesystem & { readonly withMountUnit?: boolean }
export type SugaredDropin = Dropin & { readonly contentsLocal?: string }
export type SugaredUnit = Omit<Unit, 'dropins'> & {
  readonly contentsLocal?: string
  readonly dropins?: readonly SugaredDropin[]
}
export type SugaredUser = User & { readonly sshAuthorizedKeysLocal?: readonly string[] }

/** A folder whose files all go into the config. */
export type Tree = {
  readonly local?: string
  readonly path?: string
  readonly user?: Owner
  readonly group?: Owner
  readonly fileMode?: number
  readonly dirMode?: number
}

/** `boot_device` of variant fcos. */
export type BootDevice = {
  readonly layout?: string
  readonly luks?: {
    readonly cex?: { readonly enabled?: boolean }
    readonly device?: string
    readonly discard?: boolean
    readonly tang?: readonly Tang[]
    readonly threshold?: number
    readonly tpm2?: boolean
  }
  readonly mirror?: { readonly devices?: readonly string[] }
}

export type GrubUser = { readonly name?: string; readonly passwordHash?: string }

/** A whole Butane config. */
export type ButaneConfig = Omit<IgnitionConfig, 'passwd' | 'storage' | 'systemd'> & {
  readonly variant?: string
  readonly version?: string
  readonly bootDevice?: BootDevice
  readonly grub?: { readonly users?: readonly GrubUser[] }
  readonly passwd?: Omit<NonNullable<IgnitionConfig['passwd']>, 'users'> & {
    readonly users?: readonly SugaredUser[]
  }
  readonly storage?: Omit<Storage, 'files' | 'filesystems'> & {
    readonly directories?: readonly Directory[]
    readonly files?: readonly SugaredFile[]
    readonly filesystems?: readonly SugaredFilesystem[]
    readonly trees?: readonly Tree[]
  }
  readonly systemd?: { readonly units?: readonly SugaredUnit[] }
}
