// The record of steps: what a killed run leaves, and what the next one makes of it.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { CommandFailed } from '#host/command.ts'
import { isPassing } from '#rack/charts/releases/helm.ts'
import { isPending, newestReleases, revisionsOf } from '#rack/charts/releases/records.ts'
import { lockReleases } from '#rack/charts/session.ts'
import { isApplied, ChartStore, type StepRecord } from '#rack/charts/store.ts'

const entry: StepRecord = {
  at: 1,
  release: 'mariadb',
  phase: 'gated',
  cluster: 'c',
  hash: 'h',
  revision: 2,
}

async function directory(t: Test): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'steps-'))
  t.teardown(() => rm(made, { recursive: true }))
  return made
}

t.test('the last step of a release counts, also after the store was opened again', async t => {
  const state = await directory(t)
  const first = new ChartStore(state)
  for (const phase of ['planned', 'applying', 'gated'] as const) first.addStep({ ...entry, phase })
  first.addStep({ ...entry, release: 'keystone', phase: 'failed', cause: 'no node' })
  first.close()
  const again = new ChartStore(state)
  t.teardown(() => again.close())
  t.strictSame(again.lastStep('mariadb'), entry)
  t.equal(again.lastStep('keystone')?.cause, 'no node')
  t.equal(again.lastStep('nova'), undefined)
  t.strictSame(
    again.steps(10).map(({ release, phase }) => `${release} ${phase}`),
    ['keystone failed', 'mariadb gated', 'mariadb applying', 'mariadb planned'],
  )
})

t.test('a release keeps its last two hundred steps', async t => {
  const store = new ChartStore(await directory(t))
  t.teardown(() => store.close())
  store.atOnce(() => {
    for (let at = 1; at <= 250; at += 1) store.addStep({ ...entry, at })
  })
  const kept = store.steps(1000, 'mariadb')
  t.strictSame([kept.length, kept[0]?.at, kept.at(-1)?.at], [200, 250, 51])
})

const wanted = { cluster: 'c', hash: 'h' }
const table: [string, StepRecord | undefined, number | undefined, boolean][] = [
  ['nothing was done', undefined, undefined, false],
  ['it was installed as wanted', entry, 2, true],
  ['it is another cluster', { ...entry, cluster: 'old' }, 2, false],
  ['the values changed', { ...entry, hash: 'other' }, 2, false],
  ['someone else upgraded or removed it', entry, 3, false],
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

t.test("the newest of helm's records gives a release's state", async t => {
  const releases = newestReleases(
    revisionsOf([
      record('mariadb', '9', 'deployed'),
      record('mariadb', '10', 'pending-upgrade'),
      record('keystone', '1', 'deployed'),
    ]),
  )
  t.match(releases.get('mariadb'), { name: 'mariadb', revision: 10, status: 'pending-upgrade' })
  t.ok(isPending(releases.get('mariadb')))
  t.notOk(isPending(releases.get('keystone')))
  t.notOk(isPending(undefined))
})

t.test(
  "a release is one process's at a time, others stay free, and a dead process locks no one out",
  async t => {
    const state = await directory(t)
    const unlock = lockReleases(state, ['keystone', 'mariadb'])
    t.throws(() => lockReleases(state, ['glance', 'mariadb']), {
      code: 'CHARTS_LOCKED',
      message: new RegExp(`Process ${process.pid} is at work on release mariadb`),
    })
    lockReleases(state, ['glance'])() // released by the refused run
    unlock()
    await writeFile(join(state, 'locks', 'mariadb.lock'), JSON.stringify({ pid: process.pid, startTicks: 1 }))
    lockReleases(state, ['mariadb'])()
  },
)

const failed = (stderr: string) => new CommandFailed('helm', 1, 'exit 1', { stdout: '', stderr })

t.test('helm is called again when it lost the API, and never when it was refused', async t => {
  t.ok(isPassing(failed('Error: Kubernetes cluster unreachable: Get "https://10.20.0.11:6443/version": EOF')))
  t.ok(isPassing(failed('dial tcp 10.20.0.11:6443: connect: connection refused')))
  t.ok(
    isPassing(
      failed(
        'Internal error occurred: failed to allocate IP: Post "https://10.20.0.11:6443/apis/networking.k8s.io/v1/ipaddresses": ' +
          'x509: certificate signed by unknown authority',
      ),
    ),
  )
  t.notOk(isPassing(failed('Error: UPGRADE FAILED: failed to create resource: Service "x" is invalid')))
  t.notOk(isPassing(new Error('connection refused')))
})
