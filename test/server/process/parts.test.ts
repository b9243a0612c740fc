import t from 'tap'
import { Parts } from '#server/process/parts.ts'

/** A part that writes down when it begins to close, and when it is closed. */
function part(name: string, seen: string[]) {
  return {
    close: async () => {
      seen.push(`${name} closes`)
      await Promise.resolve()
      seen.push(`${name} is closed`)
    },
  }
}

t.test('closes parts in the reverse order, each after those that were added later', async t => {
  const seen: string[] = []
  const parts = new Parts()
  const store = part('store', seen)
  t.equal(parts.add('the store', store), store, 'gives back what was added')
  parts.add('the socket', part('socket', seen))
  await parts.close()
  t.strictSame(seen, ['socket closes', 'socket is closed', 'store closes', 'store is closed'])
})

t.test('closes all parts at once where none of them uses another one', async t => {
  const seen: string[] = []
  const parts = new Parts('at once')
  parts.add('HTTP', part('HTTP', seen))
  parts.add('gRPC', part('gRPC', seen))
  await parts.close()
  t.strictSame(seen, ['HTTP closes', 'gRPC closes', 'HTTP is closed', 'gRPC is closed'])
})

t.test('closes each part once, however often it is asked', async t => {
  const seen: string[] = []
  const parts = new Parts()
  parts.add('the store', part('store', seen))
  await Promise.all([parts.close(), parts.close()])
  t.strictSame(seen, ['store closes', 'store is closed'])
})

t.test('closes the others after a part that fails, and reports it by name', async t => {
  const seen: string[] = []
  const parts = new Parts()
  parts.add('the store', part('store', seen))
  const cause = new Error('no such socket')
  parts.add('TFTP', {
    close: () => {
      throw cause
    },
  })
  await t.rejects(parts.close(), {
    name: 'AggregateError',
    message: 'Some parts did not close: TFTP: no such socket',
    errors: [{ cause }],
  })
  t.strictSame(seen, ['store closes', 'store is closed'])
})

t.test('goes on to the next part when one takes longer than its limit', async t => {
  const seen: string[] = []
  const parts = new Parts()
  parts.add('the store', part('store', seen))
  parts.add('DHCP', { close: () => new Promise<void>(() => {}) }, 0.01)
  await t.rejects(parts.close(), { message: 'Some parts did not close: DHCP was still closing after 0.01 s' })
  t.strictSame(seen, ['store closes', 'store is closed'])
})
