import t from 'tap'
import { DownloadBuffers, type BufferLimits } from '#server/assets/buffers.ts'

const LIMITS: BufferLimits = { inAll: 100, ofStrangers: 40, perStranger: 20 }
const MACHINE = '10.20.0.11'
const never = new AbortController().signal

const buffersOf = (limits: BufferLimits = LIMITS) => {
  const slow: string[] = []
  const buffers = new DownloadBuffers(
    address => address === MACHINE,
    address => slow.push(address),
    limits,
  )
  return { buffers, slow }
}

t.test('an address has its share, strangers theirs, and machines the rest', async t => {
  const { buffers } = buffersOf()
  const [one, two, three] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(at => buffers.shareOf(at))
  t.equal(one?.take(20), true)
  t.equal(one?.take(1), false, 'its own is used up')
  t.equal(two?.take(20), true)
  t.equal(three?.take(1), false, 'that of all strangers is')
  const machine = buffers.shareOf(MACHINE)
  t.equal(machine.take(60), true)
  t.equal(machine.take(1), false)
  t.equal(buffers.held, 100)
  two?.release(20)
  t.equal(machine.take(20), true, 'machines may have all')
})

t.test('this host may have all that strangers have', async t => {
  const local = buffersOf().buffers.shareOf('127.0.0.1')
  t.equal(local.take(40), true)
  t.equal(local.take(1), false)
})

t.test('who waits is served in order, and holds up no other', async t => {
  const { buffers } = buffersOf()
  const [one, two] = ['10.0.0.1', '10.0.0.2'].map(at => buffers.shareOf(at))
  const order: string[] = []
  one?.take(20)
  two?.take(20)
  const first = one?.wait(20, never).then(() => order.push('first'))
  const second = two?.wait(10, never).then(() => order.push('second'))
  t.equal(two?.isWanted(), true)
  t.equal(two?.take(1), false, 'it does not grow meanwhile')
  t.equal(await buffers.shareOf(MACHINE).wait(60, never), true, 'but a machine finds its room')
  two?.release(10)
  await second
  one?.release(20)
  await first
  t.same(order, ['second', 'first'])
  t.equal(one?.isWanted(), false)
})

t.test('a machine gives back only what helps one that waits', async t => {
  const { buffers } = buffersOf()
  const one = buffers.shareOf('10.0.0.1')
  const two = buffers.shareOf('10.0.0.2')
  const machine = buffers.shareOf(MACHINE)
  one.take(20)
  const gone = new AbortController()
  const waits = [one.wait(20, gone.signal)]
  t.equal(one.isWanted(), true)
  t.equal(two.isWanted(), true, 'strangers wait for strangers')
  t.equal(machine.isWanted(), false)
  t.equal(machine.take(5), true, 'machines grow while an address has used up its own')
  t.equal(await two.wait(20, gone.signal), true)
  waits.push(two.wait(5, gone.signal))
  t.equal(machine.isWanted(), false)
  t.equal(machine.take(50), true, 'and while strangers have used up theirs')
  waits.push(machine.wait(60, gone.signal))
  t.equal(machine.isWanted(), true, 'one waits for what all have')
  t.equal(machine.take(1), false)
  gone.abort()
  t.same(await Promise.all(waits), [false, false, false])
  t.equal(machine.isWanted(), false)
  t.equal(two.isWanted(), false)
})

t.test('a client that is gone waits no longer', async t => {
  const { buffers } = buffersOf()
  const share = buffers.shareOf('10.0.0.1')
  share.take(20)
  const gone = new AbortController()
  const waits = share.wait(10, gone.signal)
  gone.abort()
  t.equal(await waits, false)
  t.equal(share.isWanted(), false)
  t.equal(await share.wait(10, gone.signal), false)
  share.release(20)
  t.equal(buffers.held, 0)
})

t.test('strangers have to take 64 KB a second after 15 s, machines have no limit here', async t => {
  const { buffers, slow } = buffersOf()
  t.equal(buffers.shareOf(MACHINE).patienceMs(1 << 20), undefined)
  t.equal(buffers.shareOf('10.0.0.1').patienceMs(64 << 10), 16_000)
  buffers.shareOf('10.0.0.1').tooSlow()
  t.same(slow, ['10.0.0.1'])
})
