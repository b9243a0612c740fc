import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { findLab, openLab } from '#lab/lab.ts'
import type { Lab } from '#lab/lab.ts'
import { plugContainer, removeNamespace } from '#lab/network.ts'
import type { Rack } from '#lab/rack.ts'
import { labFiles, machineFiles } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { remainsOf } from './remains.ts'
import { absent } from '../absent.ts'

const skip = process.getuid?.() === 0 ? absent('ip') : 'needs root: network namespaces'
const base = `t${process.pid}`

function rack(name: string, driver: 'container' | 'qemu' = 'container'): Rack {
  const machine = { name: 'm-1', mac: '52:54:00:20:00:01', uuid: '5a0e7f00-0020-4000-8000-000000000001' }
  return {
    name,
    bridge: { address: '10.20.0.1', prefix: 24 },
    machines: [{ ...machine, driver, firmware: 'bios', accelerator: 'tcg', memoryMiB: 256 }],
  }
}

/** A small web server in the rack, which answers with `text`; it ends with the test. */
async function serveInRack(t: Tap, lab: Lab, text: string): Promise<void> {
  const script = `require('http').createServer((_, r) => r.end('${text}')).listen(8080, '10.20.0.1')`
  const [command = '', ...args] = lab.inRack([process.execPath, '-e', script])
  const child = spawn(command, args, { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
}
/** What helpers use of a test. */
type Tap = { testdir(): string; teardown(undo: () => unknown): void }

const answerOf = (url: string): Promise<string> =>
  waitUntil(`${url} answers`, { limitSeconds: 10, everyMs: 50 }, async () => ({
    value: await (await fetch(url)).text(),
  }))

t.test('a lab that is taken down leaves nothing, and taking it down twice is fine', { skip }, async t => {
  const root = t.testdir()
  const lab = await openLab(rack(base), { root })
  t.teardown(() => lab.down())
  t.strictSame(remainsOf(base, root), [`pl-${base}`], 'up, there is one namespace of its name')
  t.match(lab.status(), { name: base, machines: [{ name: 'm-1', power: 'off' }] })
  t.equal((await openLab(rack(base), { root })).directory, lab.directory, 'the same rack is taken over')
  await t.rejects(
    openLab(rack(base, 'qemu'), { root }),
    { code: 'UP_ALREADY' },
    'another rack of its name is not',
  )
  await t.rejects(openLab(rack(base), { root: t.testdirName + '-2' }), { code: 'UP_ALREADY' })
  await lab.down()
  await lab.down()
  t.strictSame(remainsOf(base, root), [])
  t.equal(findLab(base, { root }), undefined)
})

t.test(
  'a machine can be switched on while its cable of the last time is still being removed',
  { skip },
  async t => {
    const lab = await openLab(rack(`${base}p`), { root: t.testdir() })
    t.teardown(() => lab.down())
    const [machine] = lab.rack.machines
    for (const time of ['the first', 'the second']) {
      await plugContainer(lab.rack, machine!) // the rack has one
      const { stdout } = await run('ip', ['-n', lab.namespace, 'link', 'show', 'm-1'], { limitSeconds: 5 })
      t.match(stdout, /master br0/, `${time} time`)
      // What holds the namespace keeps the old cable there, as the kernel does for a short time.
      const holder = spawn('nsenter', [`--net=/run/netns/pl-${lab.name}-m-1`, 'sleep', '60'])
      t.teardown(() => holder.kill('SIGKILL'))
      await once(holder, 'spawn')
    }
    await removeNamespace(`pl-${lab.name}-m-1`)
  },
)

t.test('the rack reaches a network behind a machine, and the route may be set again', { skip }, async t => {
  const lab = await openLab(rack(`${base}r`), { root: t.testdir() })
  t.teardown(() => lab.down())
  for (const via of ['10.20.0.11', '10.20.0.12']) await lab.route('172.24.4.0/24', via)
  const [command = '', ...args] = lab.inRack(['ip', 'route', 'show', '172.24.4.0/24'])
  const { stdout } = await run(command, args, { limitSeconds: 5 })
  t.match(stdout, /^172\.24\.4\.0\/24 via 10\.20\.0\.12 dev br0 *\n$/)
})

t.test(
  'two labs with the same addresses run side by side, each behind a port of the host',
  { skip },
  async t => {
    const root = t.testdir()
    const labs = await Promise.all(['a', 'b'].map(suffix => openLab(rack(`${base}${suffix}`), { root })))
    t.teardown(() => Promise.all(labs.map(lab => lab.down())))
    const answers = await Promise.all(
      labs.map(async lab => {
        await serveInRack(t, lab, `I am ${lab.name}`)
        const [route] = await lab.relay([{ port: 0, host: '10.20.0.1', targetPort: 8080 }])
        return answerOf(`http://127.0.0.1:${route?.port}/`)
      }),
    )
    t.same(answers, [`I am ${base}a`, `I am ${base}b`])
    await Promise.all(labs.map(lab => lab.down()))
    for (const lab of labs) t.strictSame(remainsOf(lab.name, lab.directory), [])
  },
)

t.test(
  'state files that are empty or damaged keep nothing from being switched or taken down',
  { skip },
  async t => {
    const root = t.testdir()
    const name = `${base}d`
    const lab = await openLab(rack(name), { root })
    t.teardown(() => lab.down())
    const machine = lab.machine('m-1')
    const file = (of: 'power' | 'order') => machineFiles(lab.directory, 'm-1')[of]
    for (const damage of ['', '{ "superv', 'null', '[]']) {
      await machine.powerOn()
      writeFileSync(file('power'), damage)
      t.match(lab.status(), { machines: [{ power: 'off' }] })
      t.equal(await machine.powerOn(), true, 'it gets power anew')
      writeFileSync(file('order'), damage)
      await machine.powerOff({ graceSeconds: 0 })
      t.match(lab.status(), { machines: [{ power: 'off' }] })
    }
    await machine.powerOn()
    for (const path of [
      file('power'),
      file('order'),
      labFiles(lab.directory).server,
      labFiles(lab.directory).relays,
    ])
      writeFileSync(path, '')
    await lab.down()
    t.strictSame(remainsOf(name, root), [], 'its power supply has ended, too')
  },
)

t.test(
  'a machine looks for a server as soon as it has power, and can be switched off meanwhile',
  { skip },
  async t => {
    const root = t.testdir()
    const name = `${base}p`
    const lab = await openLab(rack(name), { root })
    t.teardown(() => lab.down())
    t.equal(await lab.machine('m-1').powerOn(), true)
    t.equal(await lab.machine('m-1').powerOn(), false, 'it is on already')
    t.throws(() => lab.machine('m-1').execCommand(['true']), { code: 'MACHINE_OFF' })
    await waitUntil('it has power', { limitSeconds: 5, everyMs: 20 }, async () =>
      (await textOf(lab.machine('m-1').console())).includes('Power on')
        ? { value: true }
        : { not: 'a dark screen' },
    )
    await lab.machine('m-1').powerOff()
    t.match(lab.status(), { machines: [{ power: 'off' }] })
    t.match(
      await textOf(lab.machine('m-1').console()),
      /Power on: m-1, container, 52:54:00:20:00:01\n(.*\n)*.*Power off/,
    )
    t.throws(() => lab.machine('m-2'), { code: 'NO_MACHINE', message: /It has: m-1\./ })
    t.strictSame(remainsOf(name, root), [`pl-${name}`])
  },
)

t.test('down works from the folder alone after a power supply was killed', { skip }, async t => {
  const root = t.testdir()
  const name = `${base}k`
  const lab = await openLab(rack(name), { root })
  t.teardown(() => lab.down())
  await lab.machine('m-1').powerOn()
  const power = join(lab.directory, 'machines', 'm-1', 'power.json')
  const { supervisor } = JSON.parse(readFileSync(power, 'utf8')) as { supervisor: { pid: number } }
  await waitUntil('the machine has its namespace', { limitSeconds: 5, everyMs: 20 }, async () =>
    remainsOf(name, root).includes(`pl-${name}-m-1`) ? { value: true } : { not: 'no namespace' },
  )
  process.kill(supervisor.pid, 'SIGKILL')
  await findLab(name, { root })?.down()
  t.strictSame(remainsOf(name, root), [])
})

t.test(
  'what cannot be taken down is reported and holds up nothing else, and down can be repeated',
  { skip },
  async t => {
    const root = t.testdir()
    const name = `${base}d`
    const lab = await openLab(rack(name), { root })
    t.teardown(() => lab.down())
    await lab.relay([{ port: 0, host: '10.20.0.1', targetPort: 8080 }])
    const machine = join(lab.directory, 'machines', 'm-1')
    mkdirSync(join(machine, 'power.json'), { recursive: true })
    await t.rejects(lab.down(), { message: /left something: .*director.*pilotlight lab down/ })
    t.strictSame(remainsOf(name, root), [], 'relay and network are gone')
    rmSync(join(machine, 'power.json'), { recursive: true })
    await findLab(name, { root })?.down()
    t.equal(findLab(name, { root }), undefined)
  },
)

t.test('an interruption ends the start of the server, and down ends what was started', { skip }, async t => {
  const root = t.testdir()
  const name = `${base}i`
  const lab = await openLab(rack(name), { root })
  t.teardown(() => lab.down())
  const interrupted = new AbortController()
  const starting = lab.startServer({ signal: interrupted.signal })
  interrupted.abort(new Error('Ctrl-C'))
  await t.rejects(starting, { message: 'Ctrl-C' })
  await t.rejects(lab.startServer({ signal: interrupted.signal }), { message: 'Ctrl-C' })
  t.equal(lab.status().serverUrl, undefined)
  await lab.down()
  t.strictSame(remainsOf(name, root), [])
})

t.test(
  'a rack gives its objects to the server, and an error names those that it refuses',
  { skip },
  async t => {
    const root = t.testdir({ 'bad.json': '{"groups": 5}' })
    const name = `${base}o`
    const lab = await openLab(
      { ...rack(name), objects: resolve('lab/racks/firmware/objects.json') },
      { root },
    )
    t.teardown(() => lab.down())
    const { hostUrl } = await lab.startServer({})
    t.match(hostUrl, /^http:/)
    await lab.down()
    const other = await openLab({ ...rack(name), objects: join(root, 'bad.json') }, { root })
    t.teardown(() => other.down())
    await t.rejects(other.startServer({}), {
      code: 'NO_BOOT',
      message: /bad\.json: In the body must have required property/,
    })
    await other.down()
    t.strictSame(remainsOf(name, root), [])
  },
)

t.test('a folder whose namespaces are gone counts as down', { skip }, async t => {
  const root = t.testdir()
  const name = `${base}g`
  mkdirSync(join(root, name), { recursive: true })
  writeFileSync(join(root, name, 'state.json'), JSON.stringify({ rack: rack(name), startedAt: 'yesterday' }))
  const lab = await openLab(rack(name), { root })
  t.teardown(() => lab.down())
  t.not(lab.status().startedAt, 'yesterday')
})

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}
