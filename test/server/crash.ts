// Kills a server under write load, again and again, and holds what it knows afterwards against what it acknowledged:
// shared by a short test and by bench/crash.ts.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { sleep } from '#progress/wait.ts'
import { testAuthority, type Issued } from './access/authority.ts'
import { groupWriter } from './protocols/rpc/group-writer.ts'

/** The result of a run. */
export type CrashFigures = {
  readonly kills: number
  /** Kills before the server answered: of its start, or of the recovery from the kill before. */
  readonly killsWhileStarting: number
  readonly acknowledged: number
  /** Writes under way when the server was killed; afterwards they are there whole, or not at all. */
  readonly cutOff: number
  readonly cutOffButKept: number
  /** Sentences, one for each thing that is not as it must be. */
  readonly wrong: readonly string[]
}

/** What one writer knows of its objects: a number that all of them carry, 0 for not there. */
type Known = { acknowledged: number; underWay: number | undefined; last: number }

const BIN = join(import.meta.dirname, '../../bin/pilotlight')
const REST_WRITERS = 5
const RPC_WRITERS = 2
const OPEN_SECONDS = 120

/**
 * Runs `kills` rounds over one state directory in `folder`.
 *
 * @param random gives numbers from 0 to 1: the times of the kills
 */
export async function crash(
  folder: string,
  {
    kills,
    random,
    onRound = () => {},
  }: { kills: number; random: () => number; onRound?: (round: number) => void },
): Promise<CrashFigures> {
  const certificates = await certificatesIn(join(folder, 'tls'))
  const writers = Array.from({ length: REST_WRITERS + RPC_WRITERS }, (): Known => ({
    acknowledged: 0,
    underWay: undefined,
    last: 0,
  }))
  const wrong: string[] = []
  const counts = { starting: 0, acknowledged: 0, cutOff: 0, kept: 0 }
  for (let round = 1; round <= kills; round += 1) {
    onRound(round)
    const server = start(folder, certificates)
    if (random() < 0.1) {
      await sleep(random() * 1000)
      await kill(server)
      counts.starting += 1
      continue
    }
    try {
      const { url, rpcPort } = await whereOf(server)
      await check(url, writers, counts, wrong, round)
      const stop = new AbortController()
      const putGroup = groupWriter(rpcPort, certificates)
      const writing = writers.map((known, at) => {
        const send = at < REST_WRITERS ? overRest(url, at) : overRpc(putGroup, at)
        return write(send, known, counts, stop.signal)
      })
      await sleep(20 + random() * 400)
      await kill(server)
      stop.abort()
      await Promise.all(writing)
      putGroup.close()
    } finally {
      await kill(server) // whatever failed: a server that is left keeps the test waiting
    }
  }
  const server = start(folder, certificates)
  try {
    await check((await whereOf(server)).url, writers, counts, wrong, kills + 1)
  } finally {
    await kill(server)
  }
  return {
    kills,
    killsWhileStarting: counts.starting,
    acknowledged: counts.acknowledged,
    cutOff: counts.cutOff,
    cutOffButKept: counts.kept,
    wrong,
  }
}

type Certificates = Issued & { readonly caFile: string; readonly ca: string }

/** One certificate for the server's gRPC and for those who call it. */
async function certificatesIn(folder: string): Promise<Certificates> {
  const authority = await testAuthority(folder)
  return { ...(await authority.issue('writer')), caFile: authority.caFile, ca: authority.ca }
}

function start(folder: string, { certFile, keyFile, caFile }: Certificates): ChildProcess {
  const ports = ['--address', '127.0.0.1', '--http-port', '0', '--agent-port', '0', '--no-dhcp', '--no-tftp']
  const paths = ['--state-path', join(folder, 'state'), '--data-path', folder, '--loaders-path', folder]
  const rpc = [
    '--rpc-address',
    '127.0.0.1:0',
    '--cert-file',
    certFile,
    '--key-file',
    keyFile,
    '--ca-file',
    caFile,
  ]
  return spawn(BIN, ['serve', ...ports, ...paths, ...rpc], { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** Where the server listens, once it says so. */
async function whereOf(server: ChildProcess): Promise<{ readonly url: string; readonly rpcPort: number }> {
  const said: string[] = []
  const limit = setTimeout(() => server.kill('SIGKILL'), OPEN_SECONDS * 1000)
  try {
    for await (const line of createInterface(server.stderr!)) {
      // it has a pipe
      said.push(line)
      const { text, url, rpcPort } = JSON.parse(line) as { text: string; url: string; rpcPort: number }
      if (text !== 'serving') continue
      server.stderr?.resume()
      return { url, rpcPort }
    }
  } finally {
    clearTimeout(limit)
  }
  throw new Error(`The server did not open:\n${said.join('\n')}`)
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exit = once(server, 'exit')
  server.kill('SIGKILL')
  await exit
}

/** Sends the number of a writer's objects, 0 for their removal; false when the server ended before it answered. */
type Send = (n: number) => Promise<boolean>

/** Writes for as long as the server lives; now and then a removal. */
async function write(
  send: Send,
  known: Known,
  counts: { acknowledged: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const next = (known.last += 1)
    known.underWay = next % 7 === 0 && known.acknowledged !== 0 ? 0 : next
    if (!(await send(known.underWay))) return
    known.acknowledged = known.underWay
    known.underWay = undefined
    counts.acknowledged += 1
  }
}

/** Three objects in one transaction. */
function overRest(url: string, writer: number): Send {
  return async n => {
    const objects = objectsOf(writer, n)
    const changes =
      n === 0 ? objects.map(({ kind, object }) => ({ action: 'delete', kind, id: object.id })) : objects
    const answer = await fetch(`${url}/v1/transactions`, {
      method: 'POST',
      body: JSON.stringify({ changes }),
      signal: AbortSignal.timeout(20_000),
    }).catch(() => undefined)
    if (answer === undefined) return false
    // An answer whose head was received is an acknowledgement.
    if (!answer.ok) throw new Error(`writer ${writer}: ${answer.status} ${await answer.text()}`)
    await answer.text().catch(() => '')
    return true
  }
}

/** One group, as Matchbox's clients put it. */
function overRpc(group: ReturnType<typeof groupWriter>, writer: number): Send {
  const id = `g-${writer}`
  return n => (n === 0 ? group.remove(id) : group.put({ id, profile: `p-${writer}`, metadata: { n } }))
}

function objectsOf(writer: number, n: number) {
  return [
    { kind: 'group', object: { id: `g-${writer}`, profile: `p-${writer}`, metadata: { n } } },
    { kind: 'profile', object: { id: `p-${writer}`, name: `${n}` } },
    { kind: 'template', object: { id: `generic/t-${writer}`, content: `${n}\n`.repeat(2000) } },
  ]
}

/** Compares what the server has with what it acknowledged, and takes that over as known. */
async function check(
  url: string,
  writers: readonly Known[],
  counts: { cutOff: number; kept: number },
  wrong: string[],
  round: number,
): Promise<void> {
  for (const [writer, known] of writers.entries()) {
    const all = await foundOf(url, writer)
    const found = writer < REST_WRITERS ? all : all.slice(0, 1) // gRPC puts one object at a time
    const [number = 0] = found
    if (found.some(other => other !== number))
      wrong.push(`round ${round}, writer ${writer}: half written, ${found.join(' ')}`)
    if (number !== known.acknowledged && number !== known.underWay) {
      const wanted = `${known.acknowledged} was acknowledged, ${known.underWay ?? 'nothing'} under way`
      wrong.push(`round ${round}, writer ${writer}: ${number} is there, ${wanted}`)
    }
    if (known.underWay !== undefined) {
      counts.cutOff += 1
      if (number === known.underWay) counts.kept += 1
    }
    known.acknowledged = number
    known.underWay = undefined
  }
}

/** The numbers that a writer's three objects carry; -1 for a template that is not whole. */
async function foundOf(url: string, writer: number): Promise<number[]> {
  const get = (path: string) => fetch(`${url}${path}`, { signal: AbortSignal.timeout(20_000) })
  const group = await get(`/v1/groups/g-${writer}`)
  const profile = await get(`/v1/profiles/p-${writer}`)
  const template = await get(`/v1/templates/generic/t-${writer}`)
  const { metadata } = (group.ok ? await group.json() : {}) as { metadata?: { n: number } }
  const { name } = (profile.ok ? await profile.json() : {}) as { name?: string }
  const text = template.ok ? await template.text() : ''
  const [line = ''] = text.split('\n', 1)
  const isWhole = text === '' || text === `${line}\n`.repeat(2000)
  return [metadata?.n ?? 0, Number(name ?? 0), isWhole ? Number(line) : -1]
}
