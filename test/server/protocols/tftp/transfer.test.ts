import fc from 'fast-check'
import t from 'tap'
import { decodeTftp, type TftpPacket } from '#server/protocols/tftp/packet.ts'
import {
  agree,
  ETHERNET_LIMITS,
  Transfer,
  type Step,
  type TransferEnd,
} from '#server/protocols/tftp/transfer.ts'

const ack = (block: number): TftpPacket => ({ kind: 'ack', block })
const stop = (error: number): TftpPacket => ({ kind: 'error', error, text: 'enough' })
const fileOf = (bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, index) => (index * 7 + (index >> 8)) & 255)
const asking = (options: Record<string, string>) => new Map(Object.entries(options))

function begin(bytes: number, options: Record<string, string> = {}, limits = ETHERNET_LIMITS) {
  const file = fileOf(bytes)
  const transfer = new Transfer(file, agree(asking(options), bytes, limits), limits)
  return { file, transfer, first: transfer.start(0) }
}

/** The numbers of the blocks that a step sends. */
const blocksOf = (step: Step) =>
  step.send.map(bytes => {
    const packet = decodeTftp(bytes)
    return packet.kind === 'data' ? packet.block : packet.kind
  })

t.test('what the options of a request come to', async t => {
  const rows: [Record<string, string>, Record<string, string>][] = [
    [{}, {}],
    [{ tsize: '0' }, { tsize: '1000' }],
    [{ blksize: '1432' }, { blksize: '1432' }],
    [{ blksize: '65464' }, { blksize: '1468' }],
    [{ BLKSIZE: '512' }, { BLKSIZE: '512' }],
    [{ windowsize: '4' }, { windowsize: '4' }],
    [{ windowsize: '65535' }, { windowsize: '64' }],
    [{ timeout: '3' }, { timeout: '3' }],
    [{ blksize: '7', windowsize: '0', timeout: '256' }, {}],
    [{ blksize: 'big', multicast: '' }, {}],
  ]
  for (const [asked, granted] of rows) {
    const { accepted } = agree(asking(asked), 1000, ETHERNET_LIMITS)
    t.same(Object.fromEntries(accepted), granted, JSON.stringify(asked))
  }
})

t.test('a client that asks for nothing gets 512-byte blocks one at a time, and a last short one', async t => {
  const { transfer, first } = begin(1024)
  t.same(blocksOf(first), [1])
  t.same(blocksOf(transfer.receive(ack(1), 1)), [2])
  const last = transfer.receive(ack(2), 2)
  t.equal(last.send[0]?.length, 4)
  t.same(transfer.receive(ack(3), 3).end, { how: 'sent' })
})

t.test('an empty file is one empty block', async t => {
  const { transfer, first } = begin(0)
  t.equal(first.send[0]?.length, 4)
  t.same(transfer.receive(ack(1), 1).end, { how: 'sent' })
})

t.test('options are answered first, and data follows the acknowledgement of block 0', async t => {
  const { transfer, first } = begin(5000, { blksize: '1000', windowsize: '2', tsize: '0' })
  t.same(blocksOf(first), ['optionAck'])
  t.same(blocksOf(transfer.receive(ack(0), 1)), [1, 2])
  t.same(blocksOf(transfer.receive(ack(2), 2)), [3, 4])
  t.same(blocksOf(transfer.receive(ack(4), 3)), [5, 6])
  t.equal(transfer.receive(ack(6), 4).end?.how, 'sent')
})

t.test('in lockstep an acknowledgement heard twice is not answered twice', async t => {
  const { transfer } = begin(5000)
  t.same(blocksOf(transfer.receive(ack(1), 1)), [2])
  t.same(blocksOf(transfer.receive(ack(1), 1)), [])
})

t.test('an acknowledgement inside the window goes on behind it', async t => {
  const { transfer } = begin(20_000, { windowsize: '4' })
  transfer.receive(ack(0), 1)
  t.same(blocksOf(transfer.receive(ack(2), 2)), [3, 4, 5, 6])
  t.equal(transfer.resentBlocks, 2)
})

t.test('when the first block of a window is lost, the window is sent again once', async t => {
  const { transfer } = begin(20_000, { windowsize: '4' })
  transfer.receive(ack(0), 1)
  transfer.receive(ack(4), 2)
  t.same(blocksOf(transfer.receive(ack(4), 4)), [5, 6, 7, 8])
  t.same(blocksOf(transfer.receive(ack(4), 6)), [])
  t.same(blocksOf(transfer.receive(ack(8), 8)), [9, 10, 11, 12])
})

t.test('an acknowledgement of the past, or of what was not sent, changes nothing', async t => {
  const { transfer } = begin(20_000, { windowsize: '2' })
  transfer.receive(ack(0), 1)
  transfer.receive(ack(2), 2)
  t.same(blocksOf(transfer.receive(ack(1), 3)), [])
  t.same(blocksOf(transfer.receive(ack(9), 3)), [])
})

t.test(
  'silence is met by sending again, with quiet spells in which a slow client may speak, then by giving up',
  async t => {
    const { transfer } = begin(1024)
    const first = transfer.receive(ack(1), 125)
    const waits: number[] = []
    let end: TransferEnd | undefined
    for (let now = first.wakeAt, before = 125; end === undefined;) {
      const step = transfer.wake(now)
      if (step.end === undefined) t.same(blocksOf(step), [2])
      waits.push(now - before)
      before = now
      now = step.wakeAt
      end = step.end
    }
    t.same(waits.slice(0, 7), [500, 1000, 2000, 4000, 8000, 500, 1000])
    t.match(end, { how: 'lost', why: /no answer for 3\d s, at block 1 of 3/ })
  },
)

t.test(
  'a client that asks for a timeout gets a quiet spell longer than it, and quick retries before',
  async t => {
    const { transfer } = begin(1024, { timeout: '9' })
    const first = transfer.receive(ack(0), 125)
    t.equal(first.wakeAt, 125 + 500)
    let step = first
    const waits: number[] = []
    for (let retry = 0; retry < 5; retry += 1) {
      const before = step.wakeAt
      step = transfer.wake(before)
      waits.push(step.wakeAt - before)
    }
    t.same(waits, [1000, 2000, 4000, 10_000, 500])
  },
)

t.test('a client that never answers gets its first packet three times, and no error at the end', async t => {
  for (const options of [{}, { blksize: '1468', windowsize: '64' }]) {
    const { transfer, first } = begin(100_000, options)
    let sent = first.send.length
    let step = first
    while (step.end === undefined) {
      step = transfer.wake(step.wakeAt)
      sent += step.send.length
    }
    t.equal(sent, 3)
    t.match(step.end, { how: 'lost', why: 'no answer for 4 s to the first packet' })
  }
})

t.test('the wait follows the round trip that was measured', async t => {
  const { transfer } = begin(100_000)
  t.equal(transfer.receive(ack(1), 30).wakeAt, 30 + 120)
})

t.test('a client that vanishes after the last block was sent probably has the file', async t => {
  const { transfer } = begin(1000)
  t.match(transfer.gone('connection refused'), { how: 'lost', why: 'connection refused' })
  transfer.receive(ack(1), 1)
  t.same(transfer.gone('connection refused'), { how: 'unconfirmed' })
})

t.test('waking too early does nothing', async t => {
  const { transfer } = begin(1024)
  t.match(transfer.wake(100), { send: [], wakeAt: 500 })
})

t.test('a client that only wanted the size is not a failure; one that stops later is', async t => {
  t.same(begin(1024, { tsize: '0' }).transfer.receive(stop(0), 1).end, { how: 'probed' })
  t.same(begin(1024, { tsize: '0' }).transfer.receive(stop(8), 1).end, { how: 'probed' })
  t.match(begin(1024).transfer.receive(stop(3), 1).end, { how: 'refused', why: /error 3, "enough"/ })
})

t.test('block numbers roll over to 0 behind 65535', async t => {
  const { transfer, file } = begin(8 * 70_000, { blksize: '8', windowsize: '64' })
  let step = transfer.receive(ack(0), 1)
  let received = 0
  let wraps = 0
  for (let now = 2; step.end === undefined; now += 1) {
    let last = 0
    for (const bytes of step.send) {
      const packet = decodeTftp(bytes)
      if (packet.kind !== 'data') throw new Error('not data')
      if (packet.block === 0) wraps += 1
      if (packet.bytes.some((byte, index) => byte !== file[received + index])) throw new Error('wrong bytes')
      received += packet.bytes.length
      last = packet.block
    }
    step = transfer.receive(ack(last), now)
  }
  t.equal(received, file.length)
  t.equal(wraps, 1)
})

t.test('whatever is lost, doubled or late, the client ends with the file', async () => {
  const fate = fc.constantFrom('arrives', 'arrives', 'arrives', 'lost', 'doubled', 'late')
  const cases = fc.record({
    bytes: fc.nat(6000),
    window: fc.integer({ min: 1, max: 8 }),
    fates: fc.array(fate, { minLength: 1, maxLength: 80 }),
  })
  fc.assert(fc.property(cases, ({ bytes, window, fates }) => survives(bytes, window, fates)))
})

// What is lost before the client's first sign is asked for again by the client itself, which this one does not do.
const PATIENT = { ...ETHERNET_LIMITS, firstPatienceMs: 60_000, firstRetries: 100 }

/** Plays a transfer over a network where each packet has the next fate; when all are used up, everything arrives. */
function survives(bytes: number, window: number, fates: readonly string[]): boolean {
  const { file, transfer, first } = begin(bytes, { windowsize: String(window) }, PATIENT)
  const upcoming = [...fates]
  const wire: { packet: Uint8Array | TftpPacket; at: number }[] = []
  const put = (packet: Uint8Array | TftpPacket, now: number) => {
    const fate = upcoming.shift() ?? 'arrives'
    if (fate !== 'lost') wire.push({ packet, at: now + (fate === 'late' ? 40 : 1) })
    if (fate === 'doubled') wire.push({ packet, at: now + 2 })
  }
  const got: Uint8Array[] = []
  let inWindow = 0
  let step = first
  for (let now = 0, rounds = 0; rounds < 5000; rounds += 1) {
    for (const packet of step.send) put(packet, now)
    if (step.end !== undefined) return Buffer.concat(got).equals(file)
    wire.sort((one, other) => one.at - other.at)
    const next = wire.shift()
    if (next === undefined || next.at > step.wakeAt) {
      if (next !== undefined) wire.unshift(next)
      now = Math.max(now, step.wakeAt)
      step = transfer.wake(now)
      continue
    }
    now = Math.max(now, next.at)
    if (!(next.packet instanceof Uint8Array)) {
      step = transfer.receive(next.packet, now)
      continue
    }
    step = { send: [], wakeAt: step.wakeAt }
    // The client of RFC 7440: acknowledges full windows, the last block, and the last good block when one is missing.
    const packet = decodeTftp(next.packet)
    if (packet.kind === 'optionAck') put(ack(0), now)
    if (packet.kind !== 'data') continue
    if (packet.block !== got.length + 1) {
      inWindow = 0
      put(ack(got.length), now)
      continue
    }
    got.push(packet.bytes)
    inWindow += 1
    if (inWindow === window || packet.bytes.length < 512) {
      inWindow = 0
      put(ack(got.length), now)
    }
  }
  return false
}
