// Does a service answer while it is rolled to another image? A poller asks it five times a second with a plain client's
// patience (three tries, half a second apart, as keystoneauth retries a lost connection), while `charts apply` rolls it.
//
//   bin/pilotlight lab exec --lab small rack node_modules/.bin/node bench/roll.ts --site lab/racks/small/site.yaml \
//     --changed OTHER-SITE.yaml --state lab-state/small/up --tools DIR --service image --path /images

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { connectAdmin } from '#rack/openstack/client.ts'
import type { ServiceType } from '#rack/openstack/catalog.ts'
import { adminPassword } from '#rack/charts/secrets/secrets.ts'
import { messageOf, sleep } from '#progress/wait.ts'
import { readSiteFile } from '#rack/site/read.ts'

const { values: flags } = parseArgs({
  options: {
    site: { type: 'string', default: 'lab/racks/small/site.yaml' },
    changed: { type: 'string', default: '' },
    state: { type: 'string', default: 'lab-state/small/up' },
    tools: { type: 'string', default: '' },
    service: { type: 'string', default: 'image' },
    path: { type: 'string', default: '/images' },
  },
})
const everyMs = 200
const tries = 3
const retryMs = 500

const password = (await adminPassword(flags.state)) ?? ''
const site = await readSiteFile(flags.site)
const cloud = await connectAdmin(site, password)

const counts = { asked: 0, 'first try failed': 0, 'failed after retries': 0 }
const reasons = new Map<string, number>()
const waited: number[] = []
const asking = new Set<Promise<void>>()

await poll(5000)
const before = { ...counts }
const status = await pollWhile(apply())
await poll(5000)
await Promise.all(asking)
waited.sort((a, b) => a - b)
const at = (part: number) => `${Math.round(waited[Math.floor(waited.length * part)] ?? 0)} ms`
console.table({
  ...counts,
  'asked before': before.asked,
  status,
  p50: at(0.5),
  p99: at(0.99),
  max: at(0.9999),
})
for (const [reason, count] of reasons) console.log(`${count} times: ${reason}`)
process.exitCode = counts['failed after retries'] === 0 ? 0 : 1

/** Starts a question each 200 ms, whatever became of the ones before. */
async function poll(milliseconds: number): Promise<void> {
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    const question = ask().finally(() => asking.delete(question))
    asking.add(question)
    await sleep(everyMs)
  }
}

async function pollWhile<T>(work: Promise<T>): Promise<T> {
  const ended = new AbortController()
  const end = () => ended.abort()
  void work.then(end, end)
  while (!ended.signal.aborted) await poll(everyMs)
  return work
}

async function ask(): Promise<void> {
  counts.asked += 1
  const began = performance.now()
  for (let attempt = 1; attempt <= tries; attempt += 1) {
    try {
      await cloud.get(flags.service as ServiceType, flags.path) // as the caller names it
      waited.push(performance.now() - began)
      return
    } catch (error) {
      if (attempt === 1) counts['first try failed'] += 1
      reasons.set(messageOf(error), (reasons.get(messageOf(error)) ?? 0) + 1)
      await sleep(retryMs)
    }
  }
  counts['failed after retries'] += 1
}

function apply(): Promise<number | null> {
  const main = join(import.meta.dirname, '../cli/main.js')
  const args = [main, 'charts', 'apply', flags.changed, '--state', flags.state, '--tools', flags.tools]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  return new Promise(resolve => child.on('exit', resolve))
}
