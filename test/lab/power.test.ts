// The power of real machines: orders while a shutdown goes on, from several commands at the same time, from commands that are
// killed, and to a supply that hangs. One container machine boots the live system; the others search in vain for a server.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findImages } from '#images/build.ts'
import type { Lab } from '#lab/lab.ts'
import type { PowerState, PowerVerb } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent } from '../absent.ts'
import { labIn, labWithServer, rackOfOne, systemUp, type Tap } from './booted.ts'
import { remainsOf } from './remains.ts'

const isRoot = process.getuid?.() === 0
const skip = isRoot ? absent('ip') : 'needs root: network namespaces'
const images = isRoot ? await findImages() : undefined
const noImages = images ? absent('ip', 'curl') : 'needs root and built images: pilotlight images'
const base = `p${process.pid}`
t.setTimeout(240_000)

async function consoleOf(lab: Lab): Promise<string> {
  let text = ''
  for await (const piece of lab.machine('m-1').console()) text += piece
  return text
}

const inside = async (lab: Lab, ...argv: string[]): Promise<string> =>
  (await lab.machine('m-1').exec(argv)).stdout.trim()

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** A service that takes `stop` to end, which the machine's shutdown waits for. */
const slowService = (lab: Lab, stop: string) => {
  const properties = ['RemainAfterExit=yes', 'TimeoutStopSec=infinity', `ExecStop=/bin/sh -c "${stop}"`]
  const words = properties.map(property => `--property=${property}`)
  return inside(lab, 'systemd-run', '--quiet', '--unit=slow', ...words, '/bin/true')
}

t.test('a machine that shuts down and is switched on meanwhile is on again', { skip: noImages }, async t => {
  const { lab } = await labWithServer(t, rackOfOne(`${base}s`, { driver: 'container' }), images!) // skipped without
  const machine = lab.machine('m-1')
  await machine.powerOn()
  await systemUp(lab)
  const first = await inside(lab, 'cat', BOOT_ID)
  await slowService(lab, 'echo stopping > /dev/console; sleep 3')
  const beside = machine.exec(['sleep', '1000'], { limitSeconds: 120 }).then(
    () => 'done',
    () => 'ended with the machine',
  )

  const off = await machine.order({ verb: 'off' })
  t.match(off, { changes: true, ending: { next: 'off' } }, 'which is answered before it is off')
  await waitUntil('it shuts down', { limitSeconds: 20, everyMs: 50 }, async () =>
    (await consoleOf(lab)).includes('stopping') ? { value: true } : { not: 'not yet' },
  )
  t.match(machine.status(), { power: 'on', ending: { next: 'off' } })
  const on = await machine.order({ verb: 'on' })
  t.match(on, { changes: true, ending: { next: 'on' } })
  await machine.powerIs(on, 30)
  t.match(machine.status(), { power: 'on', ending: undefined })
  await systemUp(lab)
  const second = await inside(lab, 'cat', BOOT_ID)
  t.not(second, first)
  t.notMatch(await consoleOf(lab), /power is cut/, 'it shut itself down')
  t.equal(await beside, 'ended with the machine', 'which a command inside does not keep it from')

  await machine.powerIs(await machine.order({ verb: 'reset' }), 30)
  await systemUp(lab)
  const third = await inside(lab, 'cat', BOOT_ID)
  t.not(third, second, 'a reset starts it over')

  await slowService(lab, 'echo never; sleep 1000')
  // As runc leaves a container where the power is cut at that moment (of version 2, what is frozen can be killed).
  const freeze =
    'cd /sys/fs/cgroup/freezer || exit 0; exec > /dev/null 2>&1; mkdir frozen; sleep 1000 & echo $! > frozen/cgroup.procs; echo FROZEN > frozen/freezer.state'
  await inside(lab, 'sh', '-c', freeze)
  t.equal(await machine.powerOff({ graceSeconds: 3 }), 'cut', 'one that does not shut down loses its power')
  t.match(await consoleOf(lab), /It did not shut down in time: its power is cut/)
  t.match(machine.status(), { power: 'off' })
  t.strictSame(
    remainsOf(lab.name, lab.directory).filter(line => line.startsWith(`pl-${lab.name}-`)),
    [],
  )
})

/** A lab with a machine that never boots: nothing answers it. */
async function deafLab(t: Tap, suffix: string): Promise<Lab> {
  const rack = rackOfOne(base + suffix, { driver: 'container', memoryMiB: 256 })
  const { data: _, objects: __, ...bare } = rack
  return labIn(t, bare)
}
t.test(
  'of orders from many commands at once each is answered, and the last one decides',
  { skip },
  async t => {
    const lab = await deafLab(t, 'm')
    const verbs: PowerVerb[] = ['on', 'cycle', 'off', 'on', 'off', 'cycle', 'off', 'on']
    for (const last of ['on', 'off'] as const) {
      await Promise.all(
        verbs.map((verb, at) => lab.machine('m-1').order({ verb, hard: at % 2 === 0 })), //
      )
      const order = await lab.machine('m-1').order({ verb: last })
      await lab.machine('m-1').powerIs(order, 30)
      t.equal(lab.machine('m-1').status().power, last)
      t.equal(suppliesOf(lab).length, last === 'on' ? 1 : 0, 'one power supply at most')
    }
  },
)

const suppliesOf = (lab: Lab): string[] =>
  remainsOf(lab.name, lab.directory).filter(line => line.includes('supervisor.ts'))

t.test('a command that is killed leaves neither a lock nor a second power supply', { skip }, async t => {
  const lab = await deafLab(t, 'k')
  const power = join(import.meta.dirname, '../../lab/lab.ts')
  const script = `const { Lab } = await import(${JSON.stringify(power)})
    const machine = new Lab(${JSON.stringify(lab.directory)}).machine('m-1')
    console.log('ready')
    await machine.order({ verb: process.argv[1], hard: true })`
  for (let round = 0; round < 12; round += 1) {
    const verb = ['on', 'cycle', 'off'][round % 3] ?? 'on'
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script, verb], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exit = once(child, 'exit')
    await once(child.stdout, 'data')
    await new Promise(resolve => setTimeout(resolve, round * 20)) // a moment that differs from round to round
    child.kill('SIGKILL')
    await exit
    const wanted = round % 2 === 0 ? 'on' : 'off'
    const order = await lab.machine('m-1').order({ verb: wanted, hard: wanted === 'off' })
    await lab.machine('m-1').powerIs(order, 30)
    t.equal(
      lab.machine('m-1').status().power,
      wanted,
      `${verb}, killed after ${round * 20} ms, then ${wanted}`,
    )
    await waitUntil('one supply at most', { limitSeconds: 10, everyMs: 50 }, async () => {
      const supplies = suppliesOf(lab)
      return supplies.length === (wanted === 'on' ? 1 : 0) ? { value: true } : { not: supplies.join('\n') }
    })
  }
})

t.test('a power cut does not need the power supply to answer', { skip }, async t => {
  const lab = await deafLab(t, 'h')
  await lab.machine('m-1').powerOn()
  const file = join(lab.directory, 'machines', 'm-1', 'power.json')
  const { supervisor } = JSON.parse(readFileSync(file, 'utf8')) as PowerState
  process.kill(supervisor.pid, 'SIGSTOP')
  await lab.machine('m-1').order({ verb: 'off', hard: true })
  t.match(lab.machine('m-1').status(), { power: 'off' })
  t.strictSame(suppliesOf(lab), [])
})

t.test('a machine that is off cannot be reset, and the message says why', { skip }, async t => {
  const lab = await deafLab(t, 'r')
  await t.rejects(lab.machine('m-1').order({ verb: 'reset' }), {
    code: 'MACHINE_OFF',
    message: 'm-1 is off: a machine without power cannot be reset.',
  })
  t.match(await lab.machine('m-1').order({ verb: 'off' }), { changes: false })
  t.match(await lab.machine('m-1').order({ verb: 'cycle', hard: true }), { changes: true })
  t.equal(lab.machine('m-1').isOn(), true, 'a cycle switches it on')
})
