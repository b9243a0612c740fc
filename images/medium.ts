// What a boot medium says: the network that it uses, the kernel's command line, and GRUB's menu. Pure; medium-image.ts makes the file.

import { Failure } from '#model/error.ts'
import { contains, isHostOf, networkAround, parseIpv4, reservedRange } from '#model/ipv4.ts'
import { isGroupMac, normaliseMac } from '#model/mac.ts'

/** What a medium is asked to be, as flags give it. */
export type MediumRequest = {
  /** The server's URL, as machines reach it: `http://10.20.0.1:8080`. */
  readonly server: string
  /** The machine's address with its prefix, `10.20.0.11/24`; absent: DHCP. */
  readonly address?: string
  readonly gateway?: string
  /** Name servers, at most three. */
  readonly dns?: readonly string[]
  /** The number of a tagged VLAN (IEEE 802.1Q), as text. */
  readonly vlan?: string
  /** A MAC address or a name; absent: the first interface with a link by which the server answers. */
  readonly interface?: string
  /** `console=` of the kernel, in order; the last one is /dev/console. */
  readonly consoles?: readonly string[]
}

/** A request whose parts fit each other, each in its usual form. */
export type Medium = {
  readonly server: string
  readonly address?: string
  readonly gateway?: string
  readonly dns: readonly string[]
  readonly vlan?: number
  readonly interface?: string
  readonly consoles: readonly string[]
}

const DEFAULT_CONSOLES = ['tty0', 'ttyS0,115200n8']
const CONSOLE = /^tty[A-Za-z]{0,4}\d{1,3}(?:,\d{3,7}[noe]?[78]?)?$/
/** A name of DNS (RFC 1123 §2.1), or an IPv4 address. */
const HOST = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/
/** As the kernel has it (IFNAMSIZ), in lower case. */
const INTERFACE_NAME = /^[a-z][a-z0-9.-]{0,14}$/

/**
 * Checks a request.
 *
 * @throws {Failure} BAD_OPTION, naming the flag, for a value that is wrong or that contradicts another one
 */
export function readMedium(request: MediumRequest): Medium {
  const server = readServer(request.server)
  const { hostname } = new URL(server)
  const isName = parseIpv4(hostname) === undefined
  const { address, gateway, vlan, dns = [], consoles = DEFAULT_CONSOLES } = request
  for (const one of dns) expectAddress('--dns', one)
  if (dns.length > 3) throw wrong('--dns', dns.join(), 'are more than three', '--dns 10.20.0.1')
  if (consoles.length > 4)
    throw wrong('--console', consoles.join(' '), 'are more than four', '--console ttyS0')
  for (const one of consoles) {
    if (!CONSOLE.test(one))
      throw wrong('--console', one, 'is not a console of Linux', '--console ttyS0,115200n8')
  }
  if (address === undefined) {
    for (const [flag, value] of [
      ['--gateway', gateway],
      ['--dns', dns.length > 0 ? dns.join() : undefined],
    ] as const) {
      if (value === undefined) continue
      throw wrong(flag, value, 'is for a static address; DHCP gives its own', '--address 10.20.0.11/24')
    }
  } else {
    readAddress(address, gateway, isName ? undefined : hostname)
    if (isName && dns.length === 0) {
      const why = `is a name, and a machine with a static address has no name server`
      throw wrong('--server', server, why, '--dns 10.20.0.1')
    }
  }
  return {
    server,
    ...(address === undefined ? {} : { address }),
    ...(gateway === undefined ? {} : { gateway }),
    dns,
    ...(vlan === undefined ? {} : { vlan: readVlan(vlan) }),
    ...(request.interface === undefined ? {} : { interface: readInterface(request.interface) }),
    consoles,
  }
}

function readServer(text: string): string {
  const example = '--server http://10.20.0.1:8080'
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw wrong('--server', text, 'is not the URL of a server', example)
  }
  if (`${url.pathname}${url.search}${url.hash}` !== '/' || url.username !== '' || text.length > 200) {
    throw wrong('--server', text, 'has more than a scheme, a host and a port', example)
  }
  const number = parseIpv4(url.hostname)
  const reserved = number === undefined ? undefined : reservedRange(number)
  if (reserved !== undefined || url.hostname === 'localhost' || url.hostname.startsWith('[')) {
    const why = url.hostname.startsWith('[')
      ? 'has an IPv6 address'
      : 'is not where machines reach the server'
    throw wrong('--server', text, why + (reserved === undefined ? '' : ` (${reserved})`), example)
  }
  // It is written into GRUB's menu and the kernel's command line; a URL may have signs that mean something there.
  if (!HOST.test(url.hostname)) throw wrong('--server', text, 'has a host that is not a name of DNS', example)
  return url.origin
}

function readAddress(address: string, gateway: string | undefined, server: string | undefined): void {
  const example = '--address 10.20.0.11/24'
  const network = networkAround(address)
  const [dotted = ''] = address.split('/')
  const number = parseIpv4(dotted)
  if (network === undefined || number === undefined || network.bits < 8 || network.bits > 30) {
    throw wrong('--address', address, 'is not an IPv4 address with its prefix of 8 to 30 bits', example)
  }
  const reserved = reservedRange(number)
  if (reserved !== undefined) throw wrong('--address', address, `cannot be a machine's: ${reserved}`, example)
  if (!isHostOf(network, number)) {
    throw wrong('--address', address, 'is the address of a network or its broadcast address', example)
  }
  if (dotted === server) throw wrong('--address', address, "is the server's own", example)
  if (gateway !== undefined) {
    expectAddress('--gateway', gateway)
    if (!contains(address, gateway) || !isHostOf(network, parseIpv4(gateway) ?? 0)) {
      throw wrong('--gateway', gateway, `is not in the network of ${address}`, '--gateway 10.20.0.1')
    }
    if (gateway === dotted) {
      throw wrong('--gateway', gateway, "is the machine's own address", '--gateway 10.20.0.1')
    }
  } else if (server !== undefined && !contains(address, server)) {
    const why = `leaves the server (${server}) out of reach: it is in another network, and there is no gateway`
    throw wrong('--address', address, why, '--gateway 10.20.0.1')
  }
}

function readVlan(text: string): number {
  const number = Number(text)
  if (/^\d{1,4}$/.test(text) && number >= 1 && number <= 4094) return number
  throw wrong('--vlan', text, 'is not a number from 1 to 4094', '--vlan 100')
}

function readInterface(text: string): string {
  const mac = normaliseMac(text)
  const isMac = mac?.length === 17 && !isGroupMac(mac)
  if (isMac) return mac
  if (mac === undefined && INTERFACE_NAME.test(text) && text !== 'lo') return text
  const why = "is neither a card's MAC address nor the name of an interface"
  throw wrong('--interface', text, why, '--interface 52:54:00:20:00:01')
}

function expectAddress(flag: string, text: string): void {
  const number = parseIpv4(text)
  if (number !== undefined && reservedRange(number) === undefined) return
  throw wrong(flag, text, 'is not the IPv4 address of a host', `${flag} 10.20.0.1`)
}

function wrong(flag: string, value: string, why: string, example: string): Failure {
  return new Failure('BAD_OPTION', `${flag} ${value} ${why}`, `for example:  ${example}`)
}

/**
 * The kernel's arguments: those of a medium (images/live/dracut/medium reads them), and those that the kernel and systemd read
 * before the server was asked. The server's answer adds the rest.
 */
export function mediumArguments(medium: Medium): string[] {
  const { server, address, gateway, dns, vlan, consoles } = medium
  return [
    'pilotlight.medium',
    `pilotlight.server=${server}`,
    ...optional('address', address),
    ...optional('gateway', gateway),
    ...optional('dns', dns.join()),
    ...optional('vlan', vlan),
    ...optional('interface', medium.interface),
    'ignition.firstboot',
    'ignition.platform.id=metal',
    'panic=30',
    ...consoles.map(one => `console=${one}`),
    'systemd.show_status=no',
  ]
}

function optional(name: string, value: string | number | undefined): string[] {
  return value === undefined || value === '' ? [] : [`pilotlight.${name}=${value}`]
}

/** Where a medium keeps its files, so that GRUB finds this one beside other media: `id` is a hash of all that is on it. */
export function mediumFolder(id: string): string {
  return `/pilotlight/${id}`
}

/** What is built into GRUB's images: how the medium is found, whichever device the firmware made of it. */
export function grubStart(id: string): string {
  return `search --no-floppy --set=root --file ${mediumFolder(id)}/grub.cfg
set prefix=($root)${mediumFolder(id)}
configfile ${mediumFolder(id)}/grub.cfg
`
}

/** GRUB's menu: one entry, which starts by itself after three seconds; `e` edits it. The kernel takes microcode from the first initrd. */
export function grubMenu(medium: Medium, id: string, initrds: readonly string[]): string {
  const folder = mediumFolder(id)
  const where = medium.address ?? 'DHCP'
  const vlan = medium.vlan === undefined ? '' : `, VLAN ${medium.vlan}`
  return `${serialConsole(medium.consoles)}set timeout=3
set default=0
set gfxpayload=keep
menuentry "Pilotlight: ${medium.server} by ${where}${vlan}" {
  linux ${folder}/vmlinuz ${mediumArguments(medium).join(' ')}
  initrd ${initrds.map(name => `${folder}/${name}`).join(' ')}
}
`
}

/** GRUB on the serial port that Linux has as a console; where the port is missing, GRUB goes on without. */
function serialConsole(consoles: readonly string[]): string {
  const [, unit, speed = '9600'] =
    consoles.map(one => /^ttyS([0-3])(?:,(\d+))?/.exec(one)).findLast(found => found !== null) ?? []
  if (unit === undefined) return ''
  return `if serial --unit=${unit} --speed=${speed}; then
  terminal_input console serial
  terminal_output console serial
fi
`
}
