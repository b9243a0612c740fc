// Power cuts of a rack of machines with disks, of which the tour (tour.test.ts) has filled the cloud: the machines come back by
// themselves, without the provisioner, with the same guest, its disk and its volume.

import { existsSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Test } from 'tap'
import { run } from '#host/command.ts'
import { stopServer } from '#lab/server.ts'
import { labFiles } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { inRack, kubectl, kubectlLine, labOf, pilotlight } from './lab.ts'

const MACHINES = ['ctl-1', 'cmp-1']
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

const power = async (lab: string, ...words: readonly string[]): Promise<void> => {
  const { status, stderr } = await pilotlight(['lab', 'power', ...words, '--lab', lab], 90)
  if (status !== 0) throw new Error(stderr)
}
const inside = async (lab: string, machine: string, ...argv: string[]): Promise<string> =>
  (await labOf(lab).machine(machine).exec(argv)).stdout.trim()
const bootIds = (lab: string) => Promise.all(MACHINES.map(machine => inside(lab, machine, 'cat', BOOT_ID)))
const folder = (lab: string, machine: string) => join(labOf(lab).directory, 'machines', machine)
const consoleText = (lab: string, machine: string) =>
  readFileSync(join(folder(lab, machine), 'console.log'), 'utf8')

/** The machines have installed themselves, and went on without a restart. */
export async function expectInstalled(t: Test, lab: string): Promise<void> {
  for (const machine of MACHINES) {
    t.match(await inside(lab, machine, 'cat', '/run/pilotlight/disk.env'), /^ENTERED=install$/m)
    t.match(await inside(lab, machine, 'findmnt', '--noheadings', '--output', 'FSTYPE', '/var'), 'ext4')
    const console = consoleText(lab, machine)
    t.equal(console.match(/Power on:/g)?.length, 1)
    t.notMatch(console, /Reset/)
  }
}

/** What the guest at this address says of its disks: how often it has started with each. Throws while it does not answer. */
async function startsOf(lab: string, address: string): Promise<number[]> {
  const url = `http://${address}/starts`
  const said = await inRack(lab, ['curl', '--silent', '--fail', '--max-time', '3', url])
  return said
    .trim()
    .split('\n')
    .map(line => Number(line.split(' ')[1]))
}

/** Resolves when the guest answers, and each of its disks has seen one start more than `before`. */
async function guestIsBack(lab: string, address: string, before: readonly number[]): Promise<void> {
  const wanted = before.map(starts => starts + 1).join()
  await waitUntil('the guest is back with its disks', { limitSeconds: 420, everyMs: 1000 }, async () => {
    const starts = (await startsOf(lab, address)).join()
    return starts === wanted
      ? { value: true }
      : { not: `its disks have seen ${starts} starts, not ${wanted}` }
  })
}

type Nodes = {
  items: {
    metadata: { name: string }
    status: { conditions: { type: string; status: string }[]; nodeInfo: { bootID: string } }
  }[]
}
type Pods = {
  items: {
    metadata: { name: string }
    spec: { nodeName: string }
    status: { phase: string; conditions?: { type: string; status: string }[] }
  }[]
}

/** Resolves when every node is Ready in this boot of its machine, and every pod of the control plane runs on it again. */
async function clusterRuns(lab: string): Promise<void> {
  const limit = { limitSeconds: 300, everyMs: 1000 }
  await waitUntil('the nodes are Ready, and their pods run', limit, async () => {
    const { items: nodes } = await kubectl<Nodes>(lab, 'get', 'nodes')
    for (const { metadata, status } of nodes) {
      const ready = status.conditions.find(({ type }) => type === 'Ready')?.status
      const boot = await inside(lab, metadata.name, 'cat', BOOT_ID)
      if (ready !== 'True') return { not: `${metadata.name}: Ready ${ready}` }
      if (status.nodeInfo.bootID !== boot) return { not: `${metadata.name} has not reported since its boot` }
    }
    const { items: pods } = await kubectl<Pods>(lab, '--namespace=kube-system', 'get', 'pods')
    const down = pods.filter(
      ({ status }) => status.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True',
    )
    return nodes.length === 2 && down.length === 0
      ? { value: true }
      : { not: `${nodes.length} nodes; not ready: ${down.map(({ metadata }) => metadata.name).join(', ')}` }
  })
}

/** Power cuts of all machines and of each; `address` gives where a guest answers that has a disk and a volume. */
export async function cutPower(
  t: Test,
  lab: string,
  address: () => string,
  skip: boolean | string,
): Promise<void> {
  await t.test(
    'after a power cut of all machines, with the provisioner off, the cloud is back with its guest and its volume',
    { skip },
    async t => {
      const make = ['create', 'configmap', 'kept', '--from-literal=answer=42']
      await inRack(lab, await kubectlLine(lab, '--namespace=default', ...make))
      const before = await bootIds(lab)
      const starts = await startsOf(lab, address())
      t.equal(starts.length, 2, 'the guest has a disk and a volume')
      await stopServer(labOf(lab).directory)
      await power(lab, 'off', '--hard')
      t.strictSame(
        labOf(lab)
          .status()
          .machines.map(machine => machine.power),
        ['off', 'off'],
      )
      await power(lab, 'on', '--wait')
      await guestIsBack(lab, address(), starts)
      await clusterRuns(lab)
      const get = ['--namespace=default', 'get', 'configmap', 'kept']
      t.equal((await kubectl<{ data: { answer: string } }>(lab, ...get)).data.answer, '42')
      const after = await bootIds(lab)
      for (const [at, id] of after.entries()) t.not(id, before[at])
      for (const machine of MACHINES)
        t.match(await inside(lab, machine, 'cat', '/run/pilotlight/disk.env'), /^ENTERED=disk$/m)
    },
  )

  for (const machine of MACHINES)
    await t.test(`after a power cut of ${machine} alone its node is back`, { skip }, async t => {
      const before = await bootIds(lab)
      const starts = await startsOf(lab, address())
      await power(lab, 'cycle', machine, '--hard', '--wait')
      await clusterRuns(lab)
      const after = await bootIds(lab)
      for (const [at, name] of MACHINES.entries())
        t.equal(after[at] === before[at], name !== machine, `${name}: a new boot only of what lost its power`)
      if (machine === 'cmp-1') await guestIsBack(lab, address(), starts)
      else t.strictSame(await startsOf(lab, address()), starts, 'the guest of the other machine went on')
    })
}

/** The power button, and then a disk in the wrong machine. What runs in the cloud is not waited for. */
export async function shutDown(t: Test, lab: string, skip: boolean | string): Promise<void> {
  await t.test('a shutdown by the power button is clean', { skip }, async t => {
    const before = consoleText(lab, 'ctl-1').length
    await inside(lab, 'ctl-1', 'kill', '--signal', 'RTMIN+20', '1') // systemd names on the console what it stops
    const { status, stdout, stderr } = await pilotlight(
      ['lab', 'power', 'off', '--wait', '--lab', lab, '--json'],
      150,
    )
    t.equal(status, 0, stderr)
    const { items } = JSON.parse(stdout) as { items: { id: string; details: { ended: string } }[] }
    for (const { id, details } of items) t.equal(details.ended, 'shut down', id)

    const lines = stripVTControlCharacters(consoleText(lab, 'ctl-1').slice(before)).split('\n')
    const first = (text: RegExp) => lines.findIndex(line => text.test(line))
    const last = (text: RegExp) => lines.findLastIndex(line => text.test(line))
    const steps = [
      ['the kubelet has stopped', first(/Stopped kubelet\.service/)],
      ['the first container stops', first(/Stopping cri-containerd-/)],
      ['the last container has stopped', last(/Stopped cri-containerd-/)],
      ['etcd stops', first(/Stopping etcd\.service/)],
      ['etcd has stopped', first(/Stopped etcd\.service/)],
      ['/var is unmounted', first(/Unmounted var\.mount/)],
    ] as const
    t.notOk(steps.find(([, line]) => line < 0)?.[0])
    t.strictSame(
      steps.toSorted(([, a], [, b]) => a - b).map(([what]) => what),
      steps.map(([what]) => what),
    )
    for (const machine of MACHINES) {
      const { stdout: superblock } = await run('dumpe2fs', ['-h', join(folder(lab, machine), 'disk.img')], {
        limitSeconds: 10,
      })
      t.match(superblock, /^Filesystem state: +clean$/m, machine)
      t.notMatch(
        superblock,
        /^Filesystem features:.* needs_recovery/m,
        `${machine}: its file system was unmounted`,
      )
    }
  })

  await t.test(
    'the disk of another machine is refused, nothing is written to it, and with their own the machines come back',
    { skip },
    async t => {
      const swapped = join(folder(lab, 'cmp-1'), 'disk.img')
      renameSync(swapped, `${swapped}.own`)
      renameSync(join(folder(lab, 'ctl-1'), 'disk.img'), swapped)
      const { mtimeMs } = statSync(swapped)
      await power(lab, 'on', 'cmp-1')
      await waitUntil('it is refused', { limitSeconds: 60 }, async () =>
        /the disk is that of ctl-1, whose UUID is \S+, and this machine's is \S+\. Nothing was written/.test(
          consoleText(lab, 'cmp-1'),
        )
          ? { value: true }
          : { not: consoleText(lab, 'cmp-1').trimEnd().split('\n').at(-1) ?? '' },
      )
      await power(lab, 'off', 'cmp-1', '--hard')
      t.equal(statSync(swapped).mtimeMs, mtimeMs)
      renameSync(swapped, join(folder(lab, 'ctl-1'), 'disk.img'))
      renameSync(`${swapped}.own`, swapped)
      await power(lab, 'on', '--wait')
      await clusterRuns(lab)
    },
  )

  await t.test('down leaves no file system mounted, and no loop device', { skip }, async t => {
    const { directory } = labOf(lab)
    t.match(await pilotlight(['lab', 'down', '--lab', lab], 60), { status: 0 })
    t.notMatch(readFileSync('/proc/mounts', 'utf8'), directory)
    t.ok(existsSync(join(labFiles(directory).journals, 'ctl-1.txt')))
  })
}
