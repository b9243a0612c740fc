// What TFTP serves: boot loaders, and the script that an iPXE without one of its own looks for.

/** A table of boot loaders, and what renders the script. */
export type TftpFileNeeds = {
  readonly loaders: ReadonlyMap<string, { readonly bytes: Uint8Array }>
  /** `autoexec.ipxe`, undefined where there is no template of it. */
  readonly autoexec: () => string | undefined
}

/** Finds a file by its clean name. Some firmware puts folders before the name: only its last part counts. */
export function tftpFiles({ loaders, autoexec }: TftpFileNeeds) {
  return async (asked: string): Promise<{ bytes: Uint8Array } | undefined> => {
    const name = asked.slice(asked.lastIndexOf('/') + 1)
    if (name !== 'autoexec.ipxe') return loaders.get(name)
    const script = autoexec()
    return script === undefined ? undefined : { bytes: Buffer.from(script) }
  }
}
