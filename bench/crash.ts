// Does kill -9 lose what was acknowledged, or leave anything half? The whole server as it ships, six writers, each of
// whose writes is a transaction of a group, a profile and a template (every seventh removes them); the server is killed at
// a random time, one time in ten while it starts, and what it then knows is compared with what it had acknowledged.
//
//   node_modules/.bin/node bench/crash.ts [KILLS]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crash } from '#test/server/crash.ts'

const kills = Number(process.argv[2] ?? 300)
const folder = mkdtempSync(join(tmpdir(), 'bench-crash-'))
const began = Date.now()
try {
  const onRound = (round: number) => {
    if (round % 25 === 0)
      console.log(`${round} of ${kills} kills, ${Math.round((Date.now() - began) / 1000)} s`)
  }
  const { wrong, ...figures } = await crash(folder, { kills, random: Math.random, onRound })
  console.table({ ...figures, wrong: wrong.length })
  for (const one of wrong) console.log(one)
  process.exitCode = wrong.length === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true })
}
