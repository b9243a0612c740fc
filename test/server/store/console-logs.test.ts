// Console logs as files: starts apart, the beginning and the end of each, and never more than is kept.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import fc from 'fast-check'
import { ConsoleLogs } from '#server/store/console-logs.ts'

const kernelOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

function add(logs: ConsoleLogs, part: number, text: string, kernel = 1, machine = 'ctl-1', isOwn = true) {
  return logs.append(machine, { kernel: kernelOf(kernel), boot: 'b-0001', part, isOwn }, text)
}

function logsIn(t: Test) {
  const root = join(t.testdir(), 'console')
  let now = 1000
  const open = () => new ConsoleLogs(root, () => (now += 1))
  return { root, open }
}

t.test('keeps what was sent, once, and goes on after a restart', async t => {
  const { open } = logsIn(t)
  const logs = open()
  t.same(await logs.starts('ctl-1'), [])
  t.same(await add(logs, 1, 'one\n'), { isNew: true })
  t.same(await add(logs, 2, 'two\n'), { isNew: false })
  await add(logs, 2, 'two\n') // its answer was lost
  const again = open()
  await add(again, 3, 'drei ü\n')
  t.same(await again.read('ctl-1', kernelOf(1)), { text: 'one\ntwo\ndrei ü\n', next: 16, leftOut: 0 })
  t.same(await again.read('ctl-1', kernelOf(1), 8), { text: 'drei ü\n', next: 16, leftOut: 0 })
  t.same(await again.read('ctl-1', kernelOf(1), 16), { text: '', next: 16, leftOut: 0 })
  t.equal(await again.read('ctl-1', kernelOf(2)), undefined)
  t.match(await again.starts('ctl-1'), [{ kernel: kernelOf(1), boot: 'b-0001', bytes: 16 }])
})

t.test('keeps the beginning and the end of a start that says much, and says what is missing', async t => {
  const { root, open } = logsIn(t)
  const logs = open()
  const line = `${'x'.repeat(99)}\n`
  for (let part = 1; part <= 40; part += 1) await add(logs, part, line.repeat(1000))
  const [folder = ''] = readdirSync(join(root, 'ctl-1'))
  const bytes = readdirSync(join(root, 'ctl-1', folder)).map(
    name => statSync(join(root, 'ctl-1', folder, name)).size,
  )
  t.ok(bytes.length <= 8 && bytes.every(size => size <= 65_536))
  const read = await logs.read('ctl-1', kernelOf(1))
  t.equal(read?.next, 4_000_000)
  t.match(read?.text, /\n… \d+ bytes are no longer kept …\n/)
  t.ok(read?.text.startsWith(line.repeat(2000)))
  t.ok(read?.text.endsWith(line.repeat(1000)))
  t.same((await open().starts('ctl-1'))[0]?.bytes, 4_000_000, 'also for the next who opens it')
})

t.test('keeps eight starts of a machine, the last ones', async t => {
  const { open } = logsIn(t)
  const logs = open()
  for (let kernel = 1; kernel <= 12; kernel += 1) await add(logs, 1, 'x\n', kernel)
  await add(logs, 1, 'x\n', 1, 'cmp-1')
  const starts = await logs.starts('ctl-1')
  t.same(
    starts.map(({ kernel }) => kernel),
    [12, 11, 10, 9, 8, 7, 6, 5].map(kernelOf),
  )
  t.equal((await logs.starts('cmp-1')).length, 1)
})

t.test("what anyone may have sent displaces none of the machine's own starts", async t => {
  const { open } = logsIn(t)
  const logs = open()
  const ofAnyone = (kernel: number) => add(logs, 1, 'x\n', kernel, 'ctl-1', false)
  const kernels = async () => (await logs.starts('ctl-1')).map(({ kernel }) => Number(kernel.slice(-4)))
  for (let kernel = 1; kernel <= 12; kernel += 1) await ofAnyone(kernel)
  t.same(await kernels(), [12, 11, 10, 9, 8, 7, 6, 5], 'a machine that had no bundle yet has room for them')
  await add(logs, 2, 'y\n', 9)
  for (let kernel = 21; kernel <= 30; kernel += 1) await ofAnyone(kernel)
  t.same(await kernels(), [30, 29, 28, 27, 26, 25, 24, 9], 'the one that turned out to be its own stays')
  t.match(await open().read('ctl-1', kernelOf(9)), { text: 'x\ny\n' }, 'whole, and under its name')
  for (let kernel = 31; kernel <= 37; kernel += 1) await add(logs, 1, 'x\n', kernel)
  for (let kernel = 41; kernel <= 60; kernel += 1) await ofAnyone(kernel)
  t.same(await kernels(), [60, 59, 37, 36, 35, 34, 33, 32, 31, 9])
})

t.test('parts that come at once are all kept, and one that waits is woken', async t => {
  const { open } = logsIn(t)
  const logs = open()
  const waiting = logs.wait('ctl-1', 10_000, new AbortController().signal)
  await Promise.all([1, 2, 3].map(part => add(logs, part, `${part}\n`)))
  await waiting
  t.equal((await logs.read('ctl-1', kernelOf(1)))?.text, '1\n2\n3\n')
  await logs.wait('ctl-1', 1, new AbortController().signal)
  await logs.wait('ctl-1', 10_000, AbortSignal.abort())
})

t.test('whatever the sizes of the parts, what is read is what was sent', async t => {
  const { root, open } = logsIn(t)
  let kernel = 0
  const parts = fc.array(fc.integer({ min: 0, max: 70_000 }), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(parts, async sizes => {
      const logs = open()
      kernel += 1
      const texts = sizes.map((size, at) => String(at).repeat(size))
      for (const [at, text] of texts.entries()) await add(logs, at + 1, text, kernel)
      const read = await logs.read('ctl-1', kernelOf(kernel))
      return sizes.length === 0 ? read === undefined : read?.text === texts.join('')
    }),
    { numRuns: 30 },
  )
  t.ok(existsSync(root))
})
