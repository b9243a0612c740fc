// How long does a server with many groups take to be ready? Two versions start on the same data directory by turns, each with
// a new state directory: seconds from the start of the process to its line "serving".
//
//   node_modules/.bin/node bench/ready.ts --against CHECKOUT [--groups 100000] [--rounds 5]
//
// `--against` names a checkout of an earlier version, with its node_modules. Ends with 1 when the median is more than 1/0.95 of
// the earlier one's.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { serve } from './serve.ts'

const BAR = 1 / 0.95

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    groups: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '5' },
  },
})
if (values.against === undefined) throw new Error('Give --against CHECKOUT: the version to compare with.')

const folder = mkdtempSync(join(tmpdir(), 'ready-'))
const data = join(folder, 'data')
const seconds: Record<'earlier' | 'now', number[]> = { earlier: [], now: [] }
try {
  writeGroups(Number(values.groups))
  const sides = [
    ['earlier', values.against],
    ['now', join(import.meta.dirname, '..')],
  ] as const
  console.log(
    `load ${loadavg()[0]?.toFixed(1)} at the start; ${values.groups} groups, ${values.rounds} rounds`,
  )
  for (let round = 0; round < Number(values.rounds); round += 1)
    for (const [side, checkout] of round % 2 === 0 ? sides : sides.toReversed()) {
      const state = join(folder, 'state')
      const began = performance.now()
      const server = await serve({ state, data }, checkout)
      seconds[side].push((performance.now() - began) / 1000)
      await server.stop()
      rmSync(state, { recursive: true })
    }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
const [earlier, now] = [median(seconds.earlier), median(seconds.now)]
console.table({ earlier: earlier.toFixed(2), now: now.toFixed(2), ratio: (now / earlier).toFixed(2) })
process.exitCode = now / earlier > BAR ? 1 : 0

/** A directory in Matchbox's layout: one profile, and groups that each want one MAC. */
function writeGroups(count: number): void {
  for (const name of ['profiles', 'groups']) mkdirSync(join(data, name), { recursive: true })
  writeFileSync(
    join(data, 'profiles/p.json'),
    JSON.stringify({ id: 'p', boot: { kernel: '/assets/k', initrd: [] } }),
  )
  for (let number = 0; number < count; number += 1) {
    const hex = number.toString(16).padStart(6, '0')
    const mac = `52:54:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`
    const group = { id: `g${number}`, profile: 'p', selector: { mac } }
    writeFileSync(join(data, `groups/g${number}.json`), JSON.stringify(group))
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}
