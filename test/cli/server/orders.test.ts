// `pilotlight reinstall` and `wipe` as an operator gives them, with and without a terminal.

import t from 'tap'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { site, testServer } from '../../server/serving.ts'
import { MAIN, pilotlight } from '../pilotlight.ts'

t.test('an order needs its count, is listed and is taken back', async t => {
  const server = await testServer(t)
  const disk = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false }
  const machines = site.machines.map(machine => ({ ...machine, disk }))
  await server.put('/v1/sites/rack-1', { ...site, machines })
  const env = {
    PILOTLIGHT_SERVER: server.url,
    PILOTLIGHT_TOKEN: server.admin.authorization.replace('Bearer ', ''),
  }
  const run = (...args: string[]) => pilotlight(args, { env })
  t.match(await run('reinstall', 'cmp-1'), { status: 2, err: /how many machines.*--count 1 --yes/s })
  t.match(await run('reinstall', 'cmp-1', '--count', '1'), { status: 2, err: /no one can be asked/ })
  t.match(await run('reinstall', 'cmp-1', '--count', '2'), {
    status: 2,
    err: /1 machine is named, and --count says 2/,
  })
  t.match(await run('reinstall', 'cmp-1', '--count', 'x', '--yes'), { status: 2, err: /number of machines/ })
  t.match(await run('reinstall', 'cmp-1', '--count', '2', '--yes'), {
    status: 4,
    err: /1 machine is named to reinstall, and the count says 2\..*--count 1/,
  })
  t.match(await run('reinstall', 'nope', '--count', '1', '--yes'), { status: 3, err: /There is no machine/ })
  t.match(await run('wipe', 'ctl-1', '--count', '1', '--yes'), { status: 4, err: /--break-quorum/ })
  t.match(await run('get', 'orders'), {
    out: /^no orders: pilotlight reinstall, wipe and upgrade os make them/,
  })
  t.match(await run('wipe', 'ctl-1', '--count', '1', '--yes', '--break-quorum'), { status: 0 })
  t.match(await run('reinstall', 'cmp-1', 'cmp-1', '--count', '1', '--yes'), {
    status: 0,
    out: /^cmp-1: its next network boot installs it anew, until \S+Z \(by bootstrap\); .* reinstall cmp-1 --undo\n$/,
  })
  t.match(await run('get', 'machines'), { out: /^cmp-1: its next network boot installs it anew/m })
  t.match(await run('get', 'orders'), { out: /cmp-1 +reinstall[^]*ctl-1 +wipe/ })
  t.match(await run('wipe', 'cmp-1', '--count', '1', '--yes'), {
    out: /^cmp-1: .* erases its disk, .*, in place of the reinstall that waited; to take it back: .* wipe cmp-1/,
  })
  t.match(await run('journal', 'cmp-1'), {
    out: /bootstrap ordered, in place of the reinstall that waited: the next network boot of cmp-1 erases/,
  })
  t.match(await run('get', 'orders', '-o', 'jsonl'), { out: /^(?![^]*replaced)/ })
  const again = await run('wipe', 'cmp-1', '--count', '1', '--yes')
  t.notMatch(again.out, /in place of/, 'the same once more')
  t.match(await run('reinstall', 'cmp-1', '--count', '1', '--yes', '--json'), { out: /"replaced": ?"wipe"/ })
  t.match(await run('reinstall', 'cmp-1', '--undo'), { out: 'cmp-1: reinstall is taken back\n' })
  t.match(await run('reinstall', 'cmp-1', '--count', '1', '--yes', '--without-proof'), {
    out: /its next network boot \(also without the key of its disk\) installs it anew/,
  })
  t.match(await (await server.get('/v1/orders')).json(), [{ withoutProof: true }, {}])
  await run('reinstall', 'cmp-1', '--undo')
  t.match(await run('reinstall', 'cmp-1', '--undo'), { status: 3, err: /Nothing is ordered/ })
  t.match(await run('get', 'audit', '-o', 'jsonl'), {
    out: /"action":"disk\.undo"[^\n]*[^]*"action":"disk\.order"[^\n]*"entity":"disk:cmp-1"[^\n]*"summary":"reinstall cmp-1"/,
  })
  await server.put('/v1/sites/rack-1', site)
  t.match(await run('wipe', 'cmp-1', '--count', '1', '--yes'), {
    status: 4,
    err: /cmp-1 runs from RAM.*Change its "disk"/s,
  })
})

t.test('at most 100 machines lose their disks at the same time', async t => {
  const server = await testServer(t)
  const disk = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false }
  const machines = Array.from({ length: 102 }, (_, at) => ({
    name: `cmp-${at}`,
    macs: [`52:54:00:20:01:${at.toString(16).padStart(2, '0')}`],
    role: 'compute',
    address: `10.20.0.${at + 100}`,
    labels: {},
    disk,
  }))
  const network = { ...site.network, pool: { first: '10.20.0.20', last: '10.20.0.99' } }
  const put = await server.put('/v1/sites/rack-1', { ...site, network, machines, groups: [] })
  t.equal(put.status, 200)
  const order = (from: number, to: number) => {
    const names = machines.slice(from, to).map(({ name }) => name)
    return server.post('/v1/orders', { verb: 'wipe', machines: names, count: names.length }, server.admin)
  }
  t.match(await (await order(0, 101)).json(), {
    title: 'TOO_MANY_DISKS',
    detail: /101 machines.*at most 100/,
  })
  t.equal((await order(0, 99)).status, 200)
  t.match(await (await order(99, 101)).json(), { detail: /orders for 99 others wait/ })
  t.equal((await order(98, 100)).status, 200, 'one of them again, and one more')
  const orders = (await (await server.get('/v1/orders')).json()) as unknown[]
  t.equal(orders.length, 100)
})

t.test('asks at a terminal, where the end of the input and Ctrl-C are no', async t => {
  const server = await testServer(t)
  const disk = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false }
  const machines = site.machines.map(machine => ({ ...machine, disk }))
  await server.put('/v1/sites/rack-1', { ...site, machines })
  const env = {
    ...process.env,
    PILOTLIGHT_SERVER: server.url,
    PILOTLIGHT_TOKEN: server.admin.authorization.replace('Bearer ', ''),
  }
  /** Types `keys` at the question, on a terminal of its own. */
  const type = async (keys: string, ...args: string[]) => {
    const command = [process.execPath, MAIN, 'reinstall', 'cmp-1', ...args].join(' ')
    const child = spawn('script', ['-qec', command, '/dev/null'], { env, timeout: 30_000 })
    let shown = ''
    child.stdout.on('data', (chunk: Buffer) => {
      const asked = /that\? |\[y\/N\] /
      const isNew = !asked.test(shown)
      shown += chunk.toString()
      if (isNew && asked.test(shown)) child.stdin.write(keys)
    })
    const [status, err] = await Promise.all([
      new Promise<number | null>(resolve => child.on('close', resolve)),
      text(child.stderr),
    ])
    return { status, shown: shown + err }
  }
  const nothing = { status: 130, shown: /nothing was ordered/ }
  for (const key of ['\u0004', '\u0003']) {
    t.match(await type(key), nothing)
    t.match(await type(key, '--count', '1'), nothing)
  }
  t.match(await type('n\r', '--count', '1'), nothing)
  for (const [keys, shown] of [
    ['\r', '""'],
    ['one\r', '"one"'],
  ] as const)
    t.match(await type(keys), {
      status: 2,
      shown: `nothing was ordered: ${shown} is not a number of machines`,
    })
  t.same(await (await server.get('/v1/orders')).json(), [])
  t.match(await type('1\r'), { status: 0, shown: /cmp-1: its next network boot installs it anew/ })
  t.match(await type('y\r', '--count', '1'), { status: 0 })
})
