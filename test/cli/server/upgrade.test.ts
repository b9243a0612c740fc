// `pilotlight upgrade os` as an operator gives it, without a terminal.

import { join } from 'node:path'
import t from 'tap'
import { sleep } from '#progress/wait.ts'
import { pilotlight } from '../pilotlight.ts'
import { NEW, rackOf, type Rack } from '../../server/upgrade-rack.ts'

t.setTimeout(180_000)

const envOf = ({ server }: Rack) => ({
  PILOTLIGHT_SERVER: server.url,
  PILOTLIGHT_TOKEN: server.admin.authorization.replace('Bearer ', ''),
})

t.test('says what it takes, and orders nothing before', async t => {
  const rack = await rackOf(t, ['ctl-1', 'cmp-1'])
  const state = join(t.testdirName, 'none')
  const run = (...args: string[]) =>
    pilotlight(['upgrade', 'os', ...args, '--state', state], { env: envOf(rack) })
  t.match(await run(), { status: 2, err: /no machine is named, and no site/ })
  t.match(await run('nope', '--no-drain', '--yes'), { status: 3, err: /there is no machine nope/ })
  t.match(await run('cmp-1', '--no-drain'), { status: 2, err: /no one can be asked here.*--yes/s })
  t.match(await run('cmp-1', '--yes'), {
    status: 3,
    err: /there is no cluster to drain nodes of.*--no-drain/s,
  })
  t.match(await run('cmp-1', '--drain-limit', '0'), { status: 2, err: /number of seconds/ })
  t.match(await run('cmp-1', '--healthy-limit', '59'), { status: 2, err: /seconds from 60 to 86400/ })
  t.same(await rack.orders(), {})
})

t.test('upgrades a machine, says so as JSON, and is refused an only controller', async t => {
  const rack = await rackOf(t, ['ctl-1', 'cmp-1'])
  const run = (...args: string[]) => pilotlight(['upgrade', 'os', ...args], { env: envOf(rack) })
  const done = run('cmp-1', '--no-drain', '--yes', '--json', '--healthy-limit', '600')
  const after = { version: NEW, kernel: '00000000-0000-4000-8000-000000000002' }
  for (let at = 0; at < 60; at += 1) {
    const answer = await rack.ask('cmp-1', { doing: 'written', target: NEW })
    if (answer.do === 'reboot') break
    await sleep(2000)
  }
  t.match(await rack.orders(), { 'cmp-1': { healthySeconds: 600 } })
  t.match(await rack.ask('cmp-1', after), { do: 'nothing' })
  await rack.report('cmp-1', 'ready', NEW)
  const { status, out } = await done
  t.equal(status, 0)
  t.match(JSON.parse(out), { items: [{ machine: 'cmp-1', target: NEW, state: 'done' }] })
  t.match(await run('cmp-1', '--no-drain', '--yes'), { status: 0, out: `cmp-1: runs ${NEW}\n` })
  t.match(await pilotlight(['get', 'orders'], { env: envOf(rack) }), {
    out: /cmp-1 +upgrade .*1111bbbb1111 +done/,
  })

  t.match(await run('cmp-1', '--undo'), { status: 0, out: 'cmp-1: upgrade is taken back\n' })
  const off = await run('ctl-1', '--no-drain', '--yes', '--write-limit', '1')
  t.match(off, { status: 5, out: /ctl-1: waits to write/, err: /stay ordered for a week/ })
  await rack.ask('ctl-1')
  await rack.ask('ctl-1', { doing: 'written', target: NEW })
  t.match(await run('ctl-1', '--no-drain', '--yes'), { status: 4, err: /only controller.*--break-quorum/s })
})
