// TFTP as a part of the server: boot loaders, and the script that an iPXE without one of its own looks for.

import type { Parts } from '../../process/parts.ts'
import { ourNetworks } from './networks.ts'
import { openTftp, type EventSink, type TftpOptions } from './socket.ts'

/** What TFTP needs of the service. */
export type TftpService = Required<Pick<TftpOptions, 'address' | 'macOf' | 'refuse' | 'report'>> & {
  /** Boot loaders by file name. */
  readonly loaders: ReadonlyMap<string, { readonly bytes: Uint8Array }>
  /** The text of `autoexec.ipxe`; undefined where there is no template of it. */
  readonly autoexec: () => string | undefined
  /** Gets the events of machines that are known by their leases. */
  readonly journal: EventSink
  /** Gets the address of each client that took a whole file. */
  readonly sawAlive: (address: string) => void
  /** The networks of all sites, as of now. */
  readonly networks: () => readonly { readonly subnet: string }[]
  /** The file descriptor of a UDP socket that is bound there already. */
  readonly inherited: (address: string, port: number) => number | undefined
}

/**
 * Serves TFTP until the parts are closed.
 *
 * @throws {CannotServeTftp} when the port cannot be had
 */
export async function serveTftp(service: TftpService, parts: Parts): Promise<void> {
  const { address, macOf, refuse, report, journal, sawAlive, networks, inherited } = service
  const events: EventSink = {
    record: event => {
      if (event.mac !== '') journal.record(event)
      if (event.kind === 'sent') sawAlive(String(event.detail['address']))
    },
  }
  const tftp = await openTftp({
    address,
    files: bootFiles(service),
    events,
    macOf,
    isOurs: ourNetworks(networks),
    inherited: inherited(address, 69),
    refuse,
    report,
  })
  parts.add('TFTP', tftp)
}

/** Finds a file by its clean name. Some firmware puts folders before the name: only its last part counts. */
function bootFiles({ loaders, autoexec }: Pick<TftpService, 'loaders' | 'autoexec'>): TftpOptions['files'] {
  return async asked => {
    const name = asked.slice(asked.lastIndexOf('/') + 1)
    if (name !== 'autoexec.ipxe') return loaders.get(name)
    const script = autoexec()
    return script === undefined ? undefined : { bytes: Buffer.from(script) }
  }
}
