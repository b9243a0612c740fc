// Do installed machines come back while the provisioner is off? A rack of a controller (a container machine) and an emulated compute
// machine that installs itself to its disk; once the cluster runs, the server is ended and its address is taken from the network. Then
// the emulated machine is switched off and on again five times, by its power button and by the plug in turn. It is back when
//   its console says that it runs from a slot of its disk,
//   its kubelet has posted a new boot ID and is Ready to the API server, and
//   its pods of Flannel and kube-proxy were started in this boot and are ready.
//
//   sudo node_modules/.bin/node bench/machines/provisioner-off.ts docs/runs/DATE-provisioner-off.jsonl [--only bios|uefi] [--cycles 5] [--boot network]
//
// A record has a line a cycle; the command goes on behind the last one, in the same lab if that is still up. `--boot network`: the
// firmware tries the network first, as that of many servers does. Ends with 1 where a cycle failed.

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parse, stringify } from 'yaml'
import { run } from '#host/command.ts'
import { buildImages } from '#images/build.ts'
import { findLab, type Lab } from '#lab/lab.ts'
import type { LabMachine } from '#lab/machine.ts'
import { stopServer } from '#lab/server.ts'
import { labFiles } from '#lab/state.ts'
import { messageOf, waitUntil } from '#progress/wait.ts'
import { qemuVersion } from './one-machine.ts'
import { circumstances, openRecord, recordPath, type Circumstances } from '../record.ts'

const ROOT = join(import.meta.dirname, '../..')
const MIXED = join(ROOT, 'lab/racks/mixed')
const MACHINE = 'cmp-1'
/** In the lab's folder, once its server was ended and its address taken away. */
const GIVEN_AWAY = 'provisioner-off'
const UP_SECONDS = 3600
const BACK_SECONDS = 1200

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    cycles: { type: 'string', default: '5' },
    boot: { type: 'string', default: 'disk' },
  },
})
const path = recordPath(positionals, 'provisioner-off')

type Firmware = 'bios' | 'uefi'
/** One line of the record. */
type Cycle = Circumstances & {
  readonly qemu: string
  readonly firmware: Firmware
  /** What the firmware tries first. */
  readonly boot: string
  readonly cycle: number
  /** How it was switched off, and whether it had shut down. */
  readonly by: 'button' | 'plug'
  readonly off?: string
  /** From power-on until all of it was back. */
  readonly seconds?: number
  readonly why?: string
}
const record = openRecord<Cycle>(path)
/** A boot of the machine as Kubernetes has it. */
type Seen = { readonly bootId: string; readonly ready: boolean; readonly heartbeat: number }

for (const firmware of ['bios', 'uefi'] as const) {
  if (flags.only !== undefined && flags.only !== firmware) continue
  const cycles = () =>
    record.lines().filter(it => it.firmware === firmware && it.boot === flags.boot && it.seconds)
  const name = `off-${firmware}${flags.boot === 'disk' ? '' : '-net'}`
  let failed = false
  while (!failed && cycles().length < Number(flags.cycles)) {
    const cycle = await cycled(await labOf(name, firmware), firmware, cycles().length + 1)
    record.add(cycle)
    console.log(`${name} ${cycle.cycle}: ${cycle.why ?? `${cycle.seconds} s by the ${cycle.by}`}`)
    failed = cycle.why !== undefined // the lab stays as it is
  }
  console.log(`${name}: ${cycles().length} of ${flags.cycles} came back`)
  if (failed) process.exitCode = 1
  else await remove(name)
}

async function remove(name: string): Promise<void> {
  const lab = findLab(name)
  await lab?.down()
  if (lab) rmSync(lab.directory, { recursive: true })
  rmSync(join(tmpdir(), `pilotlight-${name}`), { recursive: true, force: true })
}

/**
 * The lab with its cluster and no server. What an interrupted run left is used: after its server was ended as it is, before that by
 * another `lab up`, which goes on. A busy host may take longer than a boot's limit, so `lab up` has three attempts.
 */
async function labOf(name: string, firmware: Firmware): Promise<Lab> {
  const there = findLab(name)
  if (there?.isUp() && there.machine('ctl-1').isOn() && hasGivenAway(there)) return there
  if (there && hasGivenAway(there)) await there.down() // its controller is off, and no server would bring it back
  const rack = parse(readFileSync(join(MIXED, 'rack.yaml'), 'utf8')) as { machines: { name: string }[] }
  const machines = rack.machines.map(it =>
    it.name === MACHINE ? { ...it, firmware, diskGiB: 17, boot: flags.boot } : it,
  )
  const folder = join(tmpdir(), `pilotlight-${name}`) // the same in each run: a lab knows its site file by its path
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'rack.yaml'), stringify({ ...rack, machines }))
  copyFileSync(join(MIXED, 'site.yaml'), join(folder, 'site.yaml'))
  const up = ['lab', 'up', join(folder, 'rack.yaml'), '--until', 'cluster', '--keep', '--lab', name]
  const options = { limitSeconds: UP_SECONDS, cwd: ROOT, env: { CI: 'true' } }
  for (let left = 2; ; left -= 1) {
    const failed = await run(join(ROOT, 'bin/pilotlight'), up, options).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (failed === undefined) break
    if (left === 0) throw failed
    console.log(`${name}: lab up again after: ${messageOf(failed).slice(-300)}`)
  }
  const lab = findLab(name)
  if (lab === undefined) throw new Error(`the lab ${name} is not there`)
  await waitUntil(`${MACHINE} runs its pods`, { limitSeconds: 600, everyMs: 2000 }, () => back(lab, '', 0))
  await stopServer(lab.directory)
  const { address, prefix } = lab.rack.bridge
  // Nothing answers at the provisioner's address now; another one, which comes after it since it would go with it, is what this command
  // asks the API server from.
  for (const words of [
    ['del', `${address}/${prefix}`],
    ['add', `${address.replace(/\d+$/, '250')}/${prefix}`],
  ])
    await run('ip', ['-n', lab.namespace, 'address', ...words, 'dev', 'br0'], { limitSeconds: 10 })
  writeFileSync(join(lab.directory, GIVEN_AWAY), '')
  return lab
}

/** Says whether this command has ended the lab's server, and taken its address away. */
function hasGivenAway(lab: Lab): boolean {
  return existsSync(join(lab.directory, GIVEN_AWAY))
}

async function cycled(lab: Lab, firmware: Firmware, cycle: number): Promise<Cycle> {
  const by = cycle % 2 === 1 ? 'button' : 'plug'
  const about = {
    firmware,
    boot: flags.boot,
    cycle,
    by,
    ...circumstances(),
    qemu: await qemuVersion(),
  } as const
  const machine = lab.machine(MACHINE)
  try {
    const before = await nodeOf(lab)
    const shown = (await consoleOf(machine)).length
    const off = await machine.powerOff(by === 'plug' ? { graceSeconds: 0 } : {})
    const onAt = Date.now()
    await machine.powerOn()
    await waitUntil(`${MACHINE} is back`, { limitSeconds: BACK_SECONDS, everyMs: 2000 }, async () => {
      const console = (await consoleOf(machine)).slice(shown)
      if (!/pilotlight: slot [ab] of \S+ with /.test(console))
        return { not: `its console: ${console.trimEnd().split('\n').at(-1)}` }
      return back(lab, before.bootId, onAt)
    })
    const seconds = Math.round((Date.now() - onAt) / 1000)
    return { ...about, ...(off !== undefined && { off }), seconds }
  } catch (error) {
    return { ...about, why: messageOf(error).slice(0, 1000) }
  }
}

/** Says whether the node has started anew since `since`, and its pods with it. */
async function back(lab: Lab, bootId: string, since: number) {
  const node = await nodeOf(lab)
  if (node.bootId === bootId) return { not: 'the API server has not seen another boot' }
  if (!node.ready || node.heartbeat < since) return { not: 'the node is not Ready' }
  const { items } = (await kubectl(lab, [
    'get',
    'pods',
    '-A',
    `--field-selector=spec.nodeName=${MACHINE}`,
  ])) as {
    items: {
      metadata: { name: string }
      status: { containerStatuses?: { ready: boolean; state: { running?: { startedAt: string } } }[] }
    }[]
  }
  const late = items.filter(({ status: { containerStatuses: all = [] } }) =>
    all.every(({ ready, state: { running } }) => !ready || Date.parse(running?.startedAt ?? '') < since),
  )
  if (late.length > 0) return { not: `not ready: ${late.map(it => it.metadata.name).join(', ')}` }
  return items.length >= 2 ? { value: true } : { not: 'it has fewer than two pods' }
}

async function nodeOf(lab: Lab): Promise<Seen> {
  const { status } = (await kubectl(lab, ['get', 'node', MACHINE])) as {
    status: {
      nodeInfo: { bootID: string }
      conditions: { type: string; status: string; lastHeartbeatTime: string }[]
    }
  }
  const ready = status.conditions.find(({ type }) => type === 'Ready')
  return {
    bootId: status.nodeInfo.bootID,
    ready: ready?.status === 'True',
    heartbeat: Date.parse(ready?.lastHeartbeatTime ?? ''),
  }
}

async function kubectl(lab: Lab, words: readonly string[]): Promise<unknown> {
  const { tools } = await buildImages() // from the cache
  const config = ['--kubeconfig', join(labFiles(lab.directory).up, 'kubeconfig'), '--request-timeout=10s']
  const [program = '', ...args] = lab.inRack([join(tools, 'kubectl'), ...config, ...words, '--output=json'])
  return JSON.parse((await run(program, args, { limitSeconds: 30 })).stdout)
}

async function consoleOf(machine: LabMachine): Promise<string> {
  let text = ''
  for await (const piece of machine.console()) text += piece
  return text
}
