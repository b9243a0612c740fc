// Adds assets until it is killed, for kill.test.ts: `add-for-ever.ts ROOT FIRST`. Prints each one that was acknowledged.

import { writeSync } from 'node:fs'
import { AssetStore } from '#server/assets/asset-store.ts'
import { contentOf, NAMES } from './contents.ts'

const [root = '', first = '0'] = process.argv.slice(2)
const store = new AssetStore(root)
for (let turn = Number(first); ; turn += 1) {
  await store.add(NAMES[turn % NAMES.length] ?? '', pieces(turn))
  if (turn % 7 === 6) await store.gc()
  writeSync(1, `${turn}\n`)
}

async function* pieces(turn: number) {
  const bytes = contentOf(turn)
  for (let at = 0; at < bytes.length; at += 64 << 10) yield bytes.subarray(at, at + (64 << 10))
}
