// Many made-up requests to Matchbox and to us, both over the same made-up data directory.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sfc32 } from '../../bench/random.ts'
import { unexplainedDifferences } from './answers.ts'
import { dataFiles, writeData } from './data.ts'
import { bytesOf, httpRequest } from './http-requests.ts'
import { ask, startPeer } from './peers.ts'

/** What came of one directory. */
export type LiveResult = {
  readonly requests: number
  /** How often Matchbox gave each status. */
  readonly statuses: Readonly<Record<number, number>>
  /** Each request that was answered differently without a reason, with what differs. */
  readonly differences: readonly string[]
}

/** Requests under way at once. */
const AT_ONCE = 8

/** Asks both for the directory of a seed so many times. */
export async function askBoth(seed: number, count: number): Promise<LiveResult> {
  const root = mkdtempSync(join(tmpdir(), 'matchbox-live-'))
  const random = sfc32(seed)
  const data = join(root, 'data')
  writeData(data, dataFiles(random))
  const requests = Array.from({ length: count }, () => httpRequest(random))
  const statuses: Record<number, number> = {}
  const differences: string[] = []
  const peers = await Promise.all(
    (['matchbox', 'pilotlight'] as const).map(which => startPeer(which, data, join(root, 'state'))),
  )
  try {
    const left = requests.values()
    const asking = Array.from({ length: AT_ONCE }, async () => {
      for (const request of left) {
        const bytes = bytesOf(request)
        const [theirs, ours] = await Promise.all(peers.map(({ port }) => ask(port, bytes)))
        statuses[theirs!.status] = (statuses[theirs!.status] ?? 0) + 1 // both were asked
        const lines = unexplainedDifferences(request, theirs!, ours!)
        if (lines.length === 0) continue
        const { method, target, version, headers } = request
        const reason = ours!.headers['x-reason'] ?? ''
        differences.push(
          [`${method} ${target} ${version} ${JSON.stringify(headers)}`, reason, ...lines].join('\n  '),
        )
      }
    })
    await Promise.all(asking)
  } finally {
    await Promise.all(peers.map(peer => peer.close()))
    rmSync(root, { recursive: true })
  }
  return { requests: requests.length, statuses, differences }
}
