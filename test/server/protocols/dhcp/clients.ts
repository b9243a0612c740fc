// The DHCPDISCOVER of each kind of client, as data: the rows of the decision tests start from these.

import type { Machine } from '#model/machine.ts'
import type { ProvisioningNetwork } from '#model/network.ts'
import { text, type Options } from '#server/protocols/dhcp/options.ts'
import { MESSAGE, type Packet } from '#server/protocols/dhcp/packet.ts'

/** The hardware address of all clients here. */
export const MAC = '52:54:00:20:00:01'

/** A DISCOVER with these options behind the message type. */
export function discoverWith(options: readonly [number, Uint8Array][] = []): Packet {
  return {
    op: 'request',
    hardwareType: 1,
    hops: 0,
    transaction: 0x1234_5678,
    seconds: 0,
    broadcast: false,
    clientAddress: '0.0.0.0',
    yourAddress: '0.0.0.0',
    nextServer: '0.0.0.0',
    relayAddress: '0.0.0.0',
    mac: MAC,
    serverName: '',
    bootFile: '',
    options: new Map([[53, Uint8Array.of(MESSAGE.discover)], ...options]),
  }
}

const architecture = (number: number): [number, Uint8Array] => [93, Uint8Array.of(number >> 8, number & 255)]

/** Firmware of an architecture. */
export const firmware = (number: number): Packet =>
  discoverWith([[60, text(`PXEClient:Arch:0000${number}:UNDI:003001`)], architecture(number)])

/** UEFI HTTP Boot of an architecture. */
const httpBoot = (number: number): Packet =>
  discoverWith([[60, text(`HTTPClient:Arch:000${number}:UNDI:003001`)], architecture(number)])

/** One of each kind. */
export const discover = {
  bios: firmware(0),
  uefi: firmware(7),
  http: httpBoot(16),
  ipxe: discoverWith([[60, text('PXEClient:Arch:00000:UNDI:002001')], architecture(0), [77, text('iPXE')]]),
  plain: discoverWith(),
} as const

/** `packet` with another message type, fields and options. */
export function but(
  packet: Packet,
  type: number,
  fields: Partial<Packet>,
  more: Options = new Map(),
): Packet {
  const options = new Map([...packet.options, ...more]).set(53, Uint8Array.of(type))
  return { ...packet, ...fields, options }
}

/** The server that answers. */
export const SERVER = { address: '10.20.0.1', url: 'http://10.20.0.1:8080' }

/** The lab's network. */
export function network(dhcp: ProvisioningNetwork['dhcp'] = 'full'): ProvisioningNetwork {
  const pool = { first: '10.20.0.100', last: '10.20.0.199' }
  return {
    subnet: '10.20.0.0/24',
    gateway: '10.20.0.1',
    dhcp,
    pool,
    dns: ['10.20.0.1'],
    ntp: ['10.20.0.1', '192.0.2.123'],
  }
}

/** A declared machine with the hardware address of the clients here. */
export function machine(other: Partial<Machine> = {}): Machine {
  return { name: 'ctl-1', macs: [MAC], role: 'controller', address: '10.20.0.11', labels: {}, ...other }
}
