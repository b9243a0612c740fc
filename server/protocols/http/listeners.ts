// The TCP listeners for HTTP: boot, agents, and administration where it has its own. They open together, and close with
// patience.

import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { isLoopback } from '#model/address.ts'
import type { CertificateSource } from '../../access/certificates.ts'
import type { AccessPolicy } from '../../access/guard.ts'
import type { ListenerCertificates } from '../../access/listener-certificates.ts'
import type { Endpoint, ServerConfig } from '../../config.ts'
import { CannotListen } from '../../errors.ts'
import { Connections } from './wire/connections.ts'
import { adminApp, agentApp, bootApp, type HttpNeeds } from './app.ts'
import { closeApp } from './wire/server.ts'

/** The settings that say where the listeners are, and who may do what there. */
export type ListenerSettings = Pick<
  ServerConfig,
  'address' | 'httpPort' | 'agent' | 'admin' | 'openReads' | 'certificateRole' | 'hostNames'
>

/** Listeners that take connections. */
export type Listeners = {
  readonly httpPort: number
  readonly agentPort: number
  readonly adminPort: number | undefined
  /**
   * Takes no more connections, and lets answers under way end for `seconds`; when `now` is aborted, they are cut off.
   */
  readonly close: (seconds: number, now: AbortSignal) => Promise<void>
}

/** The file descriptor of a TCP socket that is bound there already; asked once for each. */
type Inherited = (host: string, port: number) => number | undefined

/**
 * Opens all of them, each on the socket that was passed for it, where there is one.
 *
 * @throws {CannotListen} when a port cannot be had; nothing stays open then
 */
export async function openListeners(
  config: ListenerSettings,
  needs: HttpNeeds,
  tokens: AccessPolicy['tokens'],
  certificates: Pick<ListenerCertificates, 'boot' | 'agent' | 'admin'>,
  inherited: Inherited = () => undefined,
): Promise<Listeners> {
  const { address, httpPort, agent, admin, openReads, certificateRole } = config
  const apps: { readonly app: FastifyInstance; readonly connections: Connections }[] = []
  const close = async (seconds: number, now: AbortSignal) => {
    await Promise.all(apps.map(({ app, connections }) => closeApp(app, connections, seconds, now)))
  }
  const open = async (
    which: 'boot' | 'agent' | 'admin',
    app: FastifyInstance,
    at: Endpoint,
  ): Promise<number> => {
    apps.push({ app, connections: new Connections(app.server) })
    return await listen(which, app, at, inherited(at.host, at.port))
  }
  // Beyond loopback HTTPS needs no check of names: a browser does not talk to a certificate of another name.
  const policyOn = (host: string, tls: CertificateSource | undefined): AccessPolicy => ({
    tokens,
    loopbackOnly: isLoopback(host),
    hostNames: tls === undefined || isLoopback(host) ? [...config.hostNames, host] : undefined,
    openReads,
    certificateRole,
  })

  try {
    const agentPort = await open('agent', await agentApp(needs, certificates.agent), agent)
    const adminPort =
      admin === undefined || certificates.admin === undefined
        ? undefined
        : await open(
            'admin',
            await adminApp(needs, {
              tls: certificates.admin,
              policy: policyOn(admin.host, certificates.admin),
            }),
            admin,
          )
    const policy = adminPort === undefined ? policyOn(address, certificates.boot) : undefined
    const boot = await bootApp(needs, { tls: certificates.boot, policy })
    return {
      httpPort: await open('boot', boot, { host: address, port: httpPort }),
      agentPort,
      adminPort,
      close,
    }
  } catch (error) {
    await close(0, AbortSignal.abort())
    throw error
  }
}

async function listen(
  which: 'boot' | 'agent' | 'admin',
  app: FastifyInstance,
  { host, port }: Endpoint,
  fd?: number,
): Promise<number> {
  try {
    // Fastify hands its options to node:net, where a file descriptor comes before an address.
    const passed = fd === undefined ? {} : { fd }
    await app.listen({ host, port, ...passed })
  } catch (error) {
    throw new CannotListen(which, host, port, error as NodeJS.ErrnoException) // node:net throws no other
  }
  return (app.server.address() as AddressInfo).port // it listens on TCP
}
