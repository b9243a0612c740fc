// Random DHCP packets for the properties.

import fc from 'fast-check'
import type { Options } from '#server/protocols/dhcp/options.ts'
import type { Packet } from '#server/protocols/dhcp/packet.ts'

/** Dotted IPv4. */
const anyAddress = fc.ipV4()

/** Any options that fit their length bytes, PAD and END excepted. */
export const anyOptions = (longest = 600): fc.Arbitrary<Options> =>
  fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 254 }), fc.uint8Array({ maxLength: longest })), {
      selector: ([option]) => option,
    })
    .map(pairs => new Map(pairs))

const letter = fc.integer({ min: 1, max: 255 }).map(code => String.fromCharCode(code))

/** A hardware address of the length given. */
const anyMac = (bytes = 6): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map(mac => Array.from(mac, byte => byte.toString(16).padStart(2, '0')).join(':'))

/** Any packet that can be written; no option 52, which moves options into other fields. */
export const anyPacket: fc.Arbitrary<Packet> = fc
  .record({
    op: fc.constantFrom('request' as const, 'reply' as const),
    hardwareType: fc.nat(255),
    hops: fc.nat(255),
    transaction: fc.nat(0xffffffff),
    seconds: fc.nat(0xffff),
    broadcast: fc.boolean(),
    clientAddress: anyAddress,
    yourAddress: anyAddress,
    nextServer: anyAddress,
    relayAddress: anyAddress,
    mac: fc.integer({ min: 0, max: 16 }).chain(anyMac),
    serverName: fc.string({ unit: letter, maxLength: 64 }),
    bootFile: fc.string({ unit: letter, maxLength: 128 }),
    options: anyOptions().map(options => {
      options.delete(52)
      return options
    }),
  })
  .map(packet => ({ ...packet })) // a plain object: fast-check's has no prototype
