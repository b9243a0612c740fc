// What long work prints: plain lines in a pipe, a repainted tree on a terminal.

import t from 'tap'
import { graftLines, relayTree } from '#progress/relay.ts'
import { inStage } from '#progress/stage.ts'
import { drawProgress, summaryTable } from '#progress/terminal.ts'
import { StageTree } from '#progress/tree.ts'

t.test('in a pipe each change is one plain line without an escape byte', async t => {
  const { screen, text } = makeScreen(false)
  const drawing = drawProgress(screen, {})
  await inStage(drawing.root, 'boot', async stage => {
    const child = stage.child('ctl-1')
    child.waiting('address', 60)
    child.done('4 steps')
  })
  drawing.close()
  t.strictSame(withoutTimes(text()), [
    'boot',
    'boot > ctl-1',
    'boot > ctl-1: address',
    'boot > ctl-1: done, 4 steps',
    'boot: done',
  ])
  t.notMatch(text(), '\u001B')
})

t.test(
  'on a terminal the tree is painted with what each stage waits for, and stays after the end',
  async t => {
    const { screen, text } = makeScreen(true)
    const drawing = drawProgress(screen, { NO_COLOR: '1' })
    const boot = drawing.root.child('boot')
    boot.child('ctl-1').waiting('the loader', 15)
    boot.child('cmp-1').failed(new Error('no DHCP answer\nsecond line'))
    drawing.close()
    t.match(text(), /◐ boot/)
    t.match(text(), / {2}◐ ctl-1 .*the loader \(limit 15 s\)/)
    t.match(text(), / {2}✗ cmp-1 .*no DHCP answer\n {6}second line\n/)
  },
)

t.test('what failed is shown whole while others still run', async t => {
  const { screen, text } = makeScreen(false)
  const drawing = drawProgress(screen, {})
  const images = drawing.root.child('images')
  images.child('kernel').waiting('make')
  images.child('kubelet').failed(new Error('go build: exit 1\ndisk is full'))
  t.match(text(), /kubelet: failed .*go build: exit 1\n +disk is full\n/)
  drawing.close()
})

t.test('CI and dumb terminals get plain lines', async t => {
  for (const environment of [{ CI: 'true' }, { TERM: 'dumb' }]) {
    const { screen, text } = makeScreen(true)
    const drawing = drawProgress(screen, environment)
    drawing.root.child('a').done()
    drawing.close()
    t.notMatch(text(), '\u001B')
    t.match(text(), /a: done/)
  }
})

t.test('a failure ends its stage with the first line of the message, and is passed on', async t => {
  const tree = new StageTree(() => {})
  await t.rejects(
    inStage(tree.root, 'kubelet', () => Promise.reject(new Error('no cgroup\nat …'))),
    { message: /no cgroup/ },
  )
  t.match(tree.node.children[0], { state: 'failed', note: 'no cgroup' })
})

t.test("a child's stages appear in its parent's tree as they were", async t => {
  const parent = new StageTree(() => {})
  const take = graftLines(parent.root)
  const child = relayTree(line => t.ok(take(line)))
  const boot = child.root.child('boot')
  const machine = boot.child('ctl-1')
  machine.waiting('the loader', 15)
  t.match(parent.node.children[0]?.children[0], { title: 'ctl-1', waiting: 'the loader', limitSeconds: 15 })
  machine.failed(new Error('no answer'))
  boot.skipped('asked')
  t.match(parent.node.children[0], { state: 'skipped', children: [{ state: 'failed', note: 'no answer' }] })
  t.notOk(take('an ordinary line'))
  t.notOk(take('{"stage":1,"par'))
})

t.test('the summary has a row for each stage, with seconds and notes', async t => {
  let now = 0
  const tree = new StageTree(
    () => {},
    () => now,
  )
  const boot = tree.root.child('boot')
  now = 1500
  const child = boot.child('ctl-1')
  now = 4000
  child.done('ready')
  boot.done()
  tree.root.child('verify').skipped('asked')
  t.equal(
    summaryTable(tree),
    [
      'stage     seconds',
      'boot          4.0',
      '  ctl-1       2.5  ready',
      'verify        0.0  skipped: asked',
    ].join('\n'),
  )
})

function makeScreen(isTTY: boolean) {
  const written: string[] = []
  return {
    screen: { isTTY, columns: 100, rows: 30, write: (text: string) => written.push(text) },
    text: () => written.join(''),
  }
}

function withoutTimes(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map(line => line.replace(/^ *\d+\.\ds {2}/, '').replace(/ \d+\.\ds/, ''))
}
