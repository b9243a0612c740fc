// What a container machine does between power-on and its kernel, in its own network namespace, over real sockets:
// DHCP as firmware, the loader by TFTP, DHCP as iPXE, the boot script, kernel, initrd and root image by HTTP.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '#host/command.ts'
import { sha256OfFile } from '#host/digest.ts'
import { sleep } from '#progress/wait.ts'
import { LabError } from '../errors.ts'
import type { DhcpReply } from './dhcp.ts'
import { askForAddress, download, fetchText, readByTftp } from './exchange.ts'
import { firmwareSettings, runScript } from './ipxe-script.ts'
import type { IpxeAnswer, IpxeEnd, IpxeRequest } from './ipxe-script.ts'

/** The machine that boots, and where its memory is. */
export type NetbootMachine = {
  readonly mac: string
  readonly uuid: string
  /** The machine's only network interface, for example `eth0`. */
  readonly interface: string
  /** A folder for what is downloaded: `kernel`, `initrd`, `rootfs.squashfs`, `cmdline`, `resolv.conf`, and
   * `lease`, the address as networkd's leases have it. */
  readonly memory: string
}

/** The result: the arguments that the kernel gets. The files are in the machine's memory. */
export type Netboot = { readonly cmdline: string; readonly address: string }

/** Says on the machine's screen what happens. */
export type Say = (line: string) => void

/**
 * Boots by network up to the point where a kernel would start. A script that ends without booting anything
 * is a failure, as there is no disk to fall back to.
 *
 * @throws {LabError} NO_BOOT with the step that failed
 */
export async function netboot(machine: NetbootMachine, say: Say, signal: AbortSignal): Promise<Netboot> {
  await run('ip', ['-batch', '-'], {
    limitSeconds: 5,
    input: `link set lo up\nlink set ${machine.interface} up\nroute add default dev ${machine.interface}\n`,
  })
  const offered = await askForAddress({ ...machine, stage: 'firmware' }, signal)
  say(
    `PXE: ${offered.address}/${offered.prefix} from ${offered.server}, boot ${offered.nextServer}:${offered.file}`,
  )
  if (offered.file === '')
    throw new LabError(
      'NO_BOOT',
      `The DHCP server ${offered.server} gave an address but named nothing to boot.`,
    )
  await takeAddress(machine, offered)
  if (!/^https?:/.test(offered.file)) {
    const bytes = await readByTftp(offered.nextServer, offered.file)
    say(`TFTP: ${offered.file}, ${bytes} bytes`)
  }
  const end = await runLoader(machine, offered, say, signal)
  if (end.end === 'failed') throw new LabError('NO_BOOT', `iPXE: line ${end.line}: ${end.why}`)
  if (end.end !== 'boot')
    throw new LabError('NO_BOOT', `iPXE: the script ended by ${end.end}, nothing to boot.`)
  const cmdline = end.kernel.args
  await downloadRoot(machine, cmdline, say, signal)
  await writeFile(join(machine.memory, 'cmdline'), `${cmdline}\n`)
  return { cmdline, address: offered.address }
}

/** The loader's part: it asks DHCP once more as iPXE, then runs what the answer names. */
async function runLoader(
  machine: NetbootMachine,
  first: DhcpReply,
  say: Say,
  signal: AbortSignal,
): Promise<IpxeEnd> {
  const lease = /^https?:/.test(first.file)
    ? first
    : await askForAddress({ ...machine, stage: 'ipxe' }, signal)
  if (lease.address !== first.address) await takeAddress(machine, lease)
  const settings = { ...firmwareSettings(machine), ...settingsOf(lease) }
  if (!/^https?:/.test(lease.file))
    throw new LabError(
      'NO_BOOT',
      `iPXE was given ${lease.file || 'nothing'}, and this client only follows http URLs.`,
    )
  say(`iPXE: ${lease.file}`)
  const script = runScript(await fetchText(lease.file, signal), lease.file, settings)
  for (let step = script.next(); ;) {
    if (step.done) return step.value
    const answer = await serve(step.value, machine, lease, say, signal).catch((error: Error): IpxeAnswer => ({
      ok: false,
      why: error.message,
    }))
    step = script.next(answer)
  }
}

async function serve(
  request: IpxeRequest,
  machine: NetbootMachine,
  lease: DhcpReply,
  say: Say,
  signal: AbortSignal,
): Promise<IpxeAnswer> {
  switch (request.want) {
    case 'dhcp':
      return { ok: true, settings: settingsOf(lease) } // iPXE has its lease; asking again gives the same one
    case 'echo':
      say(`iPXE: ${request.text}`)
      return { ok: true }
    case 'sleep':
      await sleep(request.seconds * 1000, signal)
      return { ok: true }
    case 'text':
      say(`iPXE: ${request.url}`)
      return { ok: true, text: await fetchText(request.url, signal) }
    case 'image':
    default: {
      const path = join(machine.memory, request.as)
      const bytes = await download(request.url, path, signal)
      say(`iPXE: ${request.url}, ${bytes} bytes`)
      return { ok: true }
    }
  }
}

/** The part of the live initrd: fetches the root image that the kernel's arguments name, and checks it. */
async function downloadRoot(
  machine: NetbootMachine,
  cmdline: string,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  const url = argument(cmdline, 'coreos.live.rootfs_url')
  if (url === undefined)
    throw new LabError(
      'NO_BOOT',
      'The kernel arguments name no coreos.live.rootfs_url, and a container machine runs nothing without a root image.',
    )
  const wanted = argument(cmdline, 'pilotlight.rootfs.sha256')
  const path = join(machine.memory, 'rootfs.squashfs')
  const bytes = await download(url, path, signal)
  const sha256 = wanted === undefined ? undefined : await sha256OfFile(path)
  if (wanted !== undefined && sha256 !== wanted)
    throw new LabError(
      'NO_BOOT',
      `${url} has the SHA-256 ${sha256}, and the kernel arguments ask for ${wanted}.`,
    )
  say(`root image: ${url}, ${bytes} bytes${wanted === undefined ? '' : ', digest checked'}`)
}

async function takeAddress(machine: NetbootMachine, lease: DhcpReply): Promise<void> {
  const dev = machine.interface
  const lines = [
    `address flush dev ${dev}`,
    `address add ${lease.address}/${lease.prefix} dev ${dev}`,
    ...(lease.router === undefined ? [] : [`route replace default via ${lease.router} dev ${dev}`]),
  ]
  await run('ip', ['-batch', '-'], { limitSeconds: 5, input: `${lines.join('\n')}\n` })
  const servers = lease.dns.map(server => `nameserver ${server}\n`).join('')
  await writeFile(join(machine.memory, 'resolv.conf'), servers)
  const kept = {
    ADDRESS: lease.address,
    NETMASK: netmaskOf(lease.prefix),
    ROUTER: lease.router,
    DNS: lease.dns.join(' '),
    DOMAINNAME: lease.domain,
    MAC: machine.mac,
  }
  const text = Object.entries(kept).flatMap(([key, value]) => (value ? [`${key}=${value}\n`] : []))
  await writeFile(join(machine.memory, 'lease'), text.join(''))
}

/** 24 becomes 255.255.255.0. */
function netmaskOf(prefix: number): string {
  const bits = 2 ** 32 - 2 ** (32 - prefix)
  return [24, 16, 8, 0].map(shift => Math.floor(bits / 2 ** shift) % 256).join('.')
}

function settingsOf(lease: DhcpReply): Record<string, string> {
  const { address, router = '', server, nextServer, file, hostName = '', domain = '' } = lease
  const own = {
    ip: address,
    gateway: router,
    'dhcp-server': server,
    'next-server': nextServer,
    filename: file,
  }
  const named = { ...own, hostname: hostName, domain, dns: lease.dns[0] ?? '' }
  const all = Object.entries(named).flatMap(([key, value]) => [
    [key, value] as const,
    [`net0/${key}`, value] as const,
  ])
  return Object.fromEntries(all.filter(([, value]) => value !== ''))
}

/** The last value of `name=` among kernel arguments. */
function argument(cmdline: string, name: string): string | undefined {
  const found = cmdline.split(/\s+/).filter(word => word.startsWith(`${name}=`))
  return found.at(-1)?.slice(name.length + 1)
}
