// Other DHCP servers: what their answers say, and when one is an alarm.

import fc from 'fast-check'
import t from 'tap'
import {
  answerText,
  OtherServersWatch,
  othersIn,
  type OtherServersNeeds,
} from '#server/protocols/dhcp/other-servers-watch.ts'
import type { DhcpLook } from '#server/protocols/dhcp/other-servers-probe.ts'
import { answerIn, probePacket, type DhcpAnswer } from '#server/protocols/dhcp/other-servers.ts'
import { addresses, OPTION, text } from '#server/protocols/dhcp/options.ts'
import { decodePacket, encodePacket, MESSAGE, messageTypeOf } from '#server/protocols/dhcp/packet.ts'
import { but, discover, MAC, network, SERVER } from './clients.ts'

const OTHER = '10.20.0.9'

const offer = (type = MESSAGE.offer as number) =>
  encodePacket({
    ...but(discover.uefi, type, { op: 'reply', yourAddress: '10.20.0.57', nextServer: OTHER }),
    options: new Map([
      [OPTION.messageType, Uint8Array.of(type)],
      [OPTION.serverIdentifier, addresses(OTHER)],
      [OPTION.router, addresses('10.20.0.254', '10.20.0.253')],
      [OPTION.bootFile, text('snponly.efi\0')],
    ]),
  })
const ANSWER: DhcpAnswer = {
  kind: 'offer',
  mac: MAC,
  transaction: 0x1234_5678,
  server: OTHER,
  address: '10.20.0.57',
  router: '10.20.0.254',
  nextServer: OTHER,
  bootFile: 'snponly.efi',
}

t.test('the DISCOVER of a look is one of firmware, whose answer is a broadcast', async t => {
  const packet = decodePacket(probePacket('02:00:00:00:00:07', 7))
  t.match(packet, { op: 'request', mac: '02:00:00:00:00:07', transaction: 7, broadcast: true })
  t.equal(messageTypeOf(packet), MESSAGE.discover)
})

t.test('an offer says which server it is of, and what it gives', async t => {
  t.strictSame(answerIn(offer(), '192.0.2.1'), ANSWER)
  t.match(answerIn(offer(MESSAGE.nak), '192.0.2.1'), { kind: 'nak', server: OTHER })
  const nameless = encodePacket({
    ...but(discover.uefi, MESSAGE.offer, { op: 'reply' }),
    options: new Map([[OPTION.messageType, Uint8Array.of(MESSAGE.offer)]]),
  })
  t.match(answerIn(nameless, '192.0.2.1'), { server: '192.0.2.1' }, 'by its sender, where it names none')
  t.equal(answerIn(probePacket(MAC, 7), OTHER), undefined, 'a request is not an answer')
  t.equal(answerIn(new Uint8Array(2000).fill(2), OTHER), undefined, 'longer than any answer')
})

t.test('whatever arrives on port 68 is read or passed over', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), bytes => {
      answerIn(bytes, OTHER)
      const real = offer()
      real.set(bytes.subarray(0, 60), 240)
      answerIn(real, OTHER)
    }),
  )
})

t.test('our own answers are not those of others, and others are named as they can be found', async t => {
  t.strictSame(othersIn([ANSWER, { ...ANSWER, server: SERVER.address }], SERVER.address), [ANSWER])
  t.equal(
    answerText(ANSWER),
    'another DHCP server, 10.20.0.9, offers 10.20.0.57 (router 10.20.0.254, boot file snponly.efi from 10.20.0.9)',
  )
})

/** A watch in a network of `dhcp: full`; what it sees next is `sees`. */
function watching(mode: 'full' | 'proxy' = 'full') {
  const state = { now: 0, looks: 0, warned: [] as string[], answers: [] as DhcpAnswer[] }
  const needs: OtherServersNeeds = {
    address: SERVER.address,
    network: () => network(mode),
    look: async (): Promise<DhcpLook> => {
      state.looks += 1
      return { looked: true, seconds: 4.2, answers: state.answers }
    },
    machineOf: mac => (mac === MAC ? 'ctl-1' : undefined),
    clock: () => state.now,
    warn: text => state.warned.push(text),
  }
  return { state, watch: new OtherServersWatch(needs) }
}
const SUBNET = 'network:10.20.0.0/24'

t.test('a machine that takes the offer of another server is an alarm at once, and said once', async t => {
  const { state, watch } = watching()
  watch.chose(OTHER, MAC)
  watch.chose(OTHER, MAC)
  t.match(
    watch.find()[SUBNET],
    /machine ctl-1 \(52:54:00:20:00:01\) took the offer of another DHCP server, 10\.20\.0\.9\. Switch it off/,
  )
  t.equal(state.warned.length, 1)
  state.now = 15 * 60_000 + 1
  t.strictSame(watch.find(), {}, 'it is over when nothing was seen for a quarter of an hour')
})

t.test('what clients that no one declared do is a reason to look, once a minute', async t => {
  const { state, watch } = watching()
  state.now = 100_000
  for (let times = 0; times < 100; times += 1) watch.chose(OTHER, '02:00:00:00:00:01')
  watch.observed({ ...ANSWER, mac: '02:00:00:00:00:01' })
  t.equal(state.looks, 1)
  t.strictSame(watch.find(), {}, 'anyone can send that: alone it raises no alarm')
})

t.test('what a look sees is an alarm until a look sees it no more', async t => {
  const { state, watch } = watching()
  state.answers = [{ ...ANSWER, server: SERVER.address }, ANSWER]
  await watch.look()
  t.match(watch.find()[SUBNET], /another DHCP server, 10\.20\.0\.9, offers 10\.20\.0\.57/)
  state.now += 5 * 60_000 + 1
  watch.find()
  t.equal(state.looks, 2, 'it looks again every five minutes while it is there')
  state.answers = []
  await watch.look()
  t.strictSame(watch.find(), {})
})

t.test('another server raises no alarm where it is to give the addresses', async t => {
  const { state, watch } = watching('proxy')
  state.answers = [ANSWER]
  await watch.look()
  watch.observed({ ...ANSWER, mac: MAC })
  t.strictSame(watch.find(), {})
  t.strictSame(state.warned, [])
})
