import fc from 'fast-check'
import t from 'tap'
import { OPTION } from '#server/protocols/dhcp/options.ts'
import { encodePacket } from '#server/protocols/dhcp/packet.ts'
import { uuidIn } from '#server/protocols/dhcp/raw-options.ts'
import { discoverWith } from './clients.ts'

const VALUE = Uint8Array.from([0, ...Buffer.from('4c4c4544000020108020b4c04f303232', 'hex')])
const UUID = '4c4c4544-0000-2010-8020-b4c04f303232'

t.test('finds the UUID behind other options, in the order of its bytes', async t => {
  const packet = discoverWith([
    [60, new TextEncoder().encode('PXEClient')],
    [OPTION.clientUuid, VALUE],
  ])
  t.equal(uuidIn(encodePacket(packet)), UUID)
})

t.test('finds none where there is none, or of another type or length', async t => {
  for (const value of [undefined, VALUE.subarray(0, 16), Uint8Array.of(1, ...VALUE.subarray(1))]) {
    const packet = discoverWith(value === undefined ? [] : [[OPTION.clientUuid, value]])
    t.equal(uuidIn(encodePacket(packet)), undefined)
  }
})

t.test('no packet, wherever it is cut or changed, makes it throw or read beyond its end', async () => {
  const whole = encodePacket(discoverWith([[OPTION.clientUuid, VALUE]]))
  const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }))
  const damage = fc.record({ cut: fc.nat({ max: whole.length }), changes: fc.array(change) })
  const property = fc.property(damage, ({ cut, changes }) => {
    const bytes = Uint8Array.from(whole)
    for (const [at, value] of changes) bytes[at] = value
    const uuid = uuidIn(bytes.subarray(0, cut))
    return uuid === undefined || /^[0-9a-f-]{36}$/.test(uuid)
  })
  fc.assert(property)
})
