// What machines ask of the server when they boot: DHCP, TFTP, HTTP and the listener of their agents, each by a real request.

import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { join } from 'node:path'
import { pathWord } from '#host/shell.ts'
import { isLoopback } from '#model/address.ts'
import { messageOf } from '#progress/wait.ts'
import { serveCommand } from '../inventory/site-check.ts'
import { isEveryAddress } from '../process/own-addresses.ts'
import { dhcpVerdicts } from './dhcp-verdict.ts'
import {
  blocking,
  noSite,
  ofObstacles,
  ok,
  ownSite,
  unseen,
  warning,
  type Facts,
  type Found,
} from './facts.ts'
import { whyNoTftp } from './tftp-client.ts'

/** Whether the server's DHCP answers in the networks of the sites. */
export async function dhcp(facts: Facts): Promise<Found | Found[]> {
  const found = ofObstacles(facts, 'dhcp')
  if (found.length > 0) return found
  const { sites, isPut } = facts
  if (sites.length === 0) return noSite()
  const texts = sites.map(({ objects: { network } }) =>
    network.dhcp === 'off'
      ? `silent in ${network.subnet}, as its site file says`
      : `${isPut ? 'answers' : 'would answer'} in ${network.subnet} (${network.dhcp})`,
  )
  return ok(texts.join('; '))
}

/** Which DHCP servers answer on the server's own wire. */
export async function otherDhcp(facts: Facts): Promise<Found | Found[]> {
  const { needs, isPut, place } = facts
  const { address } = needs
  if (isEveryAddress(address) || isLoopback(address))
    return unseen(
      `this server is at ${address}, which is not of one wire`,
      `${serveCommand('--address', 'ADDRESS')}, with one that  ip -brief address  shows`,
    )
  const own = ownSite(facts)?.objects.network
  const serves = isPut && own !== undefined && own.dhcp !== 'off' && place.dhcp
  return dhcpVerdicts(await needs.look(), { address, mode: own?.dhcp, serves })
}

/** Whether firmware gets a boot loader. */
export async function tftp(facts: Facts): Promise<Found> {
  const { address, loaders, missingLoaders, tftp: isOn } = facts.needs
  if (!isOn) return unseen('TFTP is off in this server (--no-tftp): firmware gets its loader elsewhere')
  const install = 'apt-get install --yes ipxe'
  const [first] = loaders
  if (first === undefined)
    return blocking(`no boot loader is there: ${missingLoaders[0] ?? 'the folder is empty'}`, install)
  if (ownSite(facts) === undefined)
    return unseen(`${address} is in no network of a site, and TFTP answers these alone`)
  const why = await whyNoTftp(address, first)
  if (why !== undefined)
    return blocking(
      `${first} cannot be read from ${address}, UDP port 69: ${why}`,
      'ss --udp --listening --numeric --processes sport = :69',
    )
  if (missingLoaders.length > 0)
    return warning(`some machines have no boot loader: ${missingLoaders.join('; ')}`, install)
  return ok(`${first} was read from ${address}; ${loaders.length} boot loaders`)
}

/** Whether the first boot script is served. */
export async function http({ needs }: Facts): Promise<Found> {
  const url = `${needs.urls().server}/boot.ipxe`
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(3000) })
    await answer.body?.cancel()
    if (answer.ok) return ok(`${url} was read`)
    return blocking(`${url} was answered ${answer.status}`, `pilotlight lint ${pathWord(needs.dataPath)}`)
  } catch (error) {
    const why = messageOf((error as Error).cause ?? error)
    return blocking(`${url} was not answered: ${why}`, `curl --verbose ${url}`)
  }
}

/** The listener of agents, whose certificate machines check by our authority. */
export async function agents({ needs }: Facts): Promise<Found> {
  const { agent, ca } = needs.urls()
  try {
    const until = await certificateOf(agent, ca)
    if (until - needs.now() < 0) throw new Error('its certificate is over')
    return ok(`${agent} shows a certificate that machines trust`)
  } catch (error) {
    const authority = pathWord(join(needs.statePath, 'ca.crt'))
    return blocking(`${agent}: ${messageOf(error)}`, `curl --verbose --cacert ${authority} ${agent}`)
  }
}

/** Until when (milliseconds since 1970) the certificate is good that a listener shows; rejects where `ca` did not sign it. */
function certificateOf(url: string, ca: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { ca, agent: false, timeout: 3000 }, answer => {
      const { raw } = (answer.socket as import('node:tls').TLSSocket).getPeerCertificate() // of HTTPS
      answer.resume()
      resolve(Date.parse(new X509Certificate(raw).validTo))
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 3 s')))
    asked.on('error', reject)
    asked.end()
  })
}
