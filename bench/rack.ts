// What the benches of a boot have in common: the site that they declare, a server on the wire that has it, and the
// processor time that it took.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { macOf } from './strangers-machine.ts'
import { ADDRESS, type Wire } from './wire.ts'

/** A declared machine: number `n` has the MAC `macOf(n)`. */
export function machineOf(n: number, address: string) {
  return { name: `m-${n}`, macs: [macOf(n)], role: 'compute', address, labels: {} } as const
}

/** A site of these machines, each of which boots `profile`; with more groups behind theirs. */
export function siteOf(
  machines: readonly ReturnType<typeof machineOf>[],
  { profile = 'live', groups = [] }: { profile?: string; groups?: readonly Group[] } = {},
) {
  const network = {
    subnet: '10.20.0.0/16',
    gateway: ADDRESS,
    dhcp: 'full',
    pool: { first: '10.20.128.0', last: '10.20.254.255' },
    dns: [],
  } as const
  const own = machines.map(({ name: id, macs: [mac] }): Group => ({
    id,
    profile,
    selector: { mac },
    metadata: {},
  }))
  return { network, machines, profiles: [], groups: [...own, ...groups] }
}

type Group = {
  readonly id: string
  readonly profile: string
  readonly selector: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
}

/** Starts the server of a checkout on the wire, with its state below `folder` and a site; gives its process id. */
export async function startServer(
  on: Wire,
  folder: string,
  {
    checkout,
    site,
    flags = [],
    env = {},
  }: {
    readonly checkout: string
    /** As `PUT /v1/sites` takes it. */
    readonly site: object
    readonly flags?: readonly string[]
    readonly env?: Readonly<Record<string, string>>
  },
): Promise<number> {
  const state = join(folder, 'state')
  const own = ['--address', ADDRESS, '--state-path', state, '--log-level', 'error']
  const child = on.start(join(checkout, 'bin/pilotlight'), ['serve', ...own, ...flags], env)
  const file = join(folder, 'site.json')
  writeFileSync(file, JSON.stringify(site))
  await waitUntil('the server', { limitSeconds: 60 }, async () => {
    const token = readFileSync(join(state, 'admin.token'), 'utf8').trim()
    const head = ['-H', 'content-type: application/json', '-H', `Authorization: Bearer ${token}`]
    const put = ['-sSf', '-X', 'PUT', ...head, '-d', `@${file}`, `http://${ADDRESS}:8080/v1/sites/bench`]
    await on.run('server', 'curl', put, 30)
    return { value: true }
  })
  return child.pid ?? 0
}

/** Nanoseconds of processor time that the threads of a process had. */
export function spentBy(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.reduce((sum, thread) => {
    return sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ', 1)[0])
  }, 0)
}
