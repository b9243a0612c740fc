// The journal: what a killed run leaves, and what the next one makes of it.

import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { isApplied, Journal, readJournal } from '#charts/journal.ts'
import type { JournalEntry } from '#charts/journal.ts'
import { isPassing, isPending, newestReleases } from '#charts/helm.ts'
import { CommandFailed } from '#host/command.ts'
import { lockCharts } from '#charts/lock.ts'

const entry: JournalEntry = {
  at: 1,
  release: 'mariadb',
  phase: 'gated',
  cluster: 'c',
  hash: 'h',
  revision: 2,
}

async function directory(t: Test): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'journal-'))
  t.teardown(() => rm(made, { recursive: true }))
  return made
}

t.test('the last line of a release counts, also after the journal was opened again', async t => {
  const state = await directory(t)
  const first = new Journal(state)
  for (const phase of ['planned', 'applying', 'gated'] as const) first.write({ ...entry, phase })
  first.write({ ...entry, release: 'keystone', phase: 'failed', cause: 'no node' })
  first.close()
  const again = new Journal(state)
  t.teardown(() => again.close())
  t.strictSame(again.last('mariadb'), entry)
  t.equal(again.last('keystone')?.cause, 'no node')
  t.equal((await readFile(join(state, 'openstack-journal.jsonl'), 'utf8')).trim().split('\n').length, 2)
})

t.test('a line cut off by a crash is left out, and the journal goes on behind it', async t => {
  const state = await directory(t)
  const first = new Journal(state)
  first.write(entry)
  first.close()
  await appendFile(join(state, 'openstack-journal.jsonl'), '{"at":2,"release":"mariadb","pha')
  const again = new Journal(state)
  t.equal(again.last('mariadb')?.phase, 'gated')
  again.write({ ...entry, phase: 'done' })
  again.close()
  t.equal(
    readJournal(await readFile(join(state, 'openstack-journal.jsonl'), 'utf8')).get('mariadb')?.phase,
    'done',
  )
})

t.test('no text makes reading a journal throw', async () => {
  fc.assert(fc.property(fc.string(), text => readJournal(text) instanceof Map))
})

const wanted = { cluster: 'c', hash: 'h' }
const table: [string, JournalEntry | undefined, number | undefined, boolean][] = [
  ['nothing was done', undefined, undefined, false],
  ['it was installed as wanted', entry, 2, true],
  ['it is another cluster', { ...entry, cluster: 'old' }, 2, false],
  ['the values changed', { ...entry, hash: 'other' }, 2, false],
  ['somebody else upgraded or removed it', entry, 3, false],
  ['it was killed before helm ended', { at: 1, release: 'mariadb', phase: 'applying', ...wanted }, 2, false],
]
for (const [when, last, deployed, applied] of table) {
  t.test(`a release is ${applied ? 'left alone' : 'installed'} when ${when}`, async t => {
    t.equal(isApplied(last, wanted, deployed), applied)
  })
}

const record = (name: string, version: string, status: string) => ({
  metadata: {
    name: `sh.helm.release.v1.${name}.v${version}`,
    labels: { name, version, status, owner: 'helm' },
  },
})

t.test("the newest of helm's records tells a release's state", async t => {
  const releases = newestReleases([
    record('mariadb', '9', 'deployed'),
    record('mariadb', '10', 'pending-upgrade'),
    record('keystone', '1', 'deployed'),
  ])
  t.strictSame(releases.get('mariadb'), { name: 'mariadb', revision: 10, status: 'pending-upgrade' })
  t.ok(isPending(releases.get('mariadb')))
  t.notOk(isPending(releases.get('keystone')))
  t.notOk(isPending(undefined))
})

t.test('a second run is refused while the first lives, and a dead one locks nobody out', async t => {
  const state = await directory(t)
  const unlock = await lockCharts(state)
  await t.rejects(lockCharts(state), {
    code: 'CHARTS_LOCKED',
    message: new RegExp(`Process ${process.pid} `),
  })
  await unlock()
  await appendFile(join(state, 'openstack.lock'), `${process.pid} 1`) // our number, but another start: long dead
  await (
    await lockCharts(state)
  )()
})

const failed = (stderr: string) => new CommandFailed('helm', 1, 'exit 1', { stdout: '', stderr })

t.test('helm is called again when it lost the API, and never when it was refused', async t => {
  t.ok(isPassing(failed('Error: Kubernetes cluster unreachable: Get "https://10.20.0.11:6443/version": EOF')))
  t.ok(isPassing(failed('dial tcp 10.20.0.11:6443: connect: connection refused')))
  t.notOk(isPassing(failed('Error: UPGRADE FAILED: failed to create resource: Service "x" is invalid')))
  t.notOk(isPassing(new Error('connection refused')))
})
