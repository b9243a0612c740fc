// Where the processor time of a lab's machines was spent since they were switched on: each pod, and the system around them.
// `sudo node_modules/.bin/node bench/processor.ts LAB`, for a lab that is up, of container machines.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findImages } from '#images/build.ts'
import { findLab } from '#lab/lab.ts'
import { labFiles } from '#lab/state.ts'
import { run } from '#host/command.ts'

type Pods = { items: { metadata: { name: string; uid: string; annotations?: Record<string, string> } }[] }

/** The tree in which the kernel counts; version 1 has a separate one for it. */
const TREE = existsSync('/sys/fs/cgroup/cpuacct') ? '/sys/fs/cgroup/cpuacct' : '/sys/fs/cgroup'
/** Less is not shown. */
const LEAST_SECONDS = 0.3

const lab = findLab(process.argv[2] ?? 'small')
if (lab === undefined) throw new Error('That lab is not up: npm run lab -- --keep')
const kubectl = join((await findImages())?.tools ?? '', 'kubectl')
const config = join(labFiles(lab.directory).up, 'kubeconfig')
const ask = lab.inRack([kubectl, '--kubeconfig', config, 'get', 'pods', '--all-namespaces', '--output=json'])
const { stdout } = await run(ask[0] ?? '', ask.slice(1), { limitSeconds: 30 })
const names = new Map(
  (JSON.parse(stdout) as Pods).items.flatMap(({ metadata: { name, uid, annotations } }) =>
    // The cgroup of a static pod carries the hash of its manifest.
    [uid, annotations?.['kubernetes.io/config.hash'] ?? uid].map(
      id => [id.replaceAll('-', '_'), name] as const,
    ),
  ),
)

let total = 0
for (const { name: machine } of lab.rack.machines) {
  const top = join(TREE, `pl-${lab.name}-${machine}`)
  const all = secondsOf(top)
  total += all
  const folders = below(top)
  const pods = folders.flatMap(folder => {
    const [, id] = /-pod([0-9a-f_]+)\.slice$/.exec(folder) ?? []
    return id === undefined
      ? []
      : [{ what: names.get(id) ?? `a pod that is gone (${id})`, seconds: secondsOf(folder) }]
  })
  const kubernetes = secondsOf(join(top, 'kubepods.slice')) // what ended is still counted here
  const ended = kubernetes - pods.reduce((sum, { seconds }) => sum + seconds, 0)
  const rows = [
    ...pods,
    { what: 'pods that have ended: jobs', seconds: ended },
    { what: 'the system: its boot, containerd, kubelet, etcd', seconds: all - kubernetes },
  ]
  process.stdout.write(`\n${machine}: ${all.toFixed(1)} s\n`)
  for (const { what, seconds } of rows.toSorted((one, other) => other.seconds - one.seconds))
    if (seconds >= LEAST_SECONDS) process.stdout.write(`${seconds.toFixed(1).padStart(7)}  ${what}\n`)
}
process.stdout.write(`\nboth together: ${total.toFixed(1)} s\n`)

/** Processor seconds of everything that is or was in a cgroup. */
function secondsOf(folder: string): number {
  const one = join(folder, 'cpuacct.usage')
  if (existsSync(one)) return Number(readFileSync(one, 'utf8')) / 1e9
  const two = join(folder, 'cpu.stat')
  const [, micro = '0'] = existsSync(two) ? (/^usage_usec (\d+)$/m.exec(readFileSync(two, 'utf8')) ?? []) : []
  return Number(micro) / 1e6
}

function below(folder: string): string[] {
  if (!existsSync(folder)) return []
  const found = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isDirectory())
  return found.map(({ name }) => join(folder, name)).flatMap(path => [path, ...below(path)])
}
