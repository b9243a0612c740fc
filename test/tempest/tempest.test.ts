// How Tempest is configured for a cloud, and what is read from its results.

import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { tempestConf } from './config.ts'
import type { CloudFacts } from './config.ts'
import { countsOf, readResults, reasonOf, reportOf } from './results.ts'
import { absent } from '../absent.ts'

const facts: CloudFacts = {
  authUrl: 'http://10.20.0.11:30500/v3',
  password: 'sesame',
  services: ['identity', 'image', 'placement', 'compute', 'network'],
  extensions: ['router', 'security-group'],
  image: 'i',
  flavors: ['f', 'g'],
  external: { id: 'e', name: 'public' },
  computeHosts: 1,
  locks: '/tmp/locks',
}

t.test('only services that the catalog has are tested', async t => {
  const conf = tempestConf(facts)
  for (const line of ['nova = true', 'glance = true', 'cinder = false', 'swift = false', 'horizon = false'])
    t.match(conf, new RegExp(`^${line}$`, 'm'))
  t.match(conf, /^api_extensions = router,security-group$/m)
  const more = tempestConf({ ...facts, services: [...facts.services, 'volumev3'], dashboardUrl: 'http://d/' })
  for (const line of ['cinder = true', 'horizon = true', 'dashboard_url = http://d/'])
    t.match(more, new RegExp(`^${line}$`, 'm'))
})

const PYTHON = '/usr/bin/python3'
const noSubunit =
  absent(PYTHON) ||
  (spawnSync(PYTHON, ['-c', 'import subunit, testtools']).status !== 0 && 'needs the package tempest')

t.test(
  'results are read from what Tempest writes, with the reason of each skip and failure',
  { skip: noSubunit },
  async t => {
    const write = `
import sys, unittest, subunit, testtools
class T(testtools.TestCase):
    def test_good(self): pass
    def test_bad(self): self.fail('no such server')
    @unittest.skip('cinder is not there')
    def test_not(self): pass
out = testtools.ExtendedToStreamDecorator(subunit.StreamResultToBytes(sys.stdout.buffer))
out.startTestRun(); unittest.defaultTestLoader.loadTestsFromTestCase(T).run(out); out.stopTestRun()`
    const stream = execFileSync(PYTHON, ['-c', write])
    const lines = execFileSync(PYTHON, [join(import.meta.dirname, 'results.py')], {
      input: stream,
      encoding: 'utf8',
    })
    const results = readResults(`noise\n${lines}`)
    t.strictSame(countsOf(results), { passed: 1, failed: 1, skipped: 1, unfinished: 0 })
    const reasons = results.filter(({ status }) => status !== 'success').map(reasonOf)
    t.strictSame(reasons, ['AssertionError: no such server', 'cinder is not there'])
  },
)

const line = (test: string, status: string, details = {}) =>
  JSON.stringify({ test, status, seconds: 0, details })

t.test('tests of a class that was not set up have the reason of their class', async t => {
  const results = readResults(
    [
      line('tempest.api.volume.V.test_a[id-1,smoke]', 'exists'),
      line('tempest.api.volume.V.test_b[id-2]', 'exists'),
      line('tempest.api.image.I.test_c[id-3]', 'exists'),
      line('tempest.api.image.I.test_c[id-3]', 'success'),
      line('setUpClass (tempest.api.volume.V)', 'skip', { reason: 'V skipped as Cinder is not available' }),
      line('tempest.api.image.I.test_d[id-4]', 'exists'),
    ].join('\n'),
  )
  t.strictSame(
    countsOf(results),
    { passed: 1, failed: 0, skipped: 2, unfinished: 1 },
    'one was announced and never heard of again',
  )
  t.strictSame(results.filter(({ status }) => status === 'skip').map(reasonOf), [
    'V skipped as Cinder is not available',
    'V skipped as Cinder is not available',
  ])
})

const result = (test: string, status: 'success' | 'skip' | 'fail', details = {}) => ({
  test,
  status,
  seconds: 1,
  details,
})

t.test('the page names every test that did not pass', async t => {
  const page = reportOf(
    [
      result('tempest.api.image.A.test_a[id-1,smoke]', 'success'),
      result('tempest.api.volume.B.test_b[id-2,smoke]', 'skip', { reason: 'cinder | is not there' }),
      result('tempest.api.compute.C.test_c[id-3]', 'fail', {
        traceback: 'Traceback\n  x\nTimeout: too late\n',
      }),
      result('setUpClass (tempest.api.compute.D)', 'fail'),
    ],
    { date: '21 November 2026', rack: 'small', version: 'tempest 33.0.0', seconds: 61.4 },
  )
  t.match(page, /\*\*1 passed, 2 failed, 1 skipped, 0 not run\*\* of 4/)
  t.match(page, '| `api.compute.C.test_c` | Timeout: too late |')
  t.match(page, '| `setUpClass (tempest.api.compute.D)` | no reason is given |')
  t.match(page, '| `api.volume.B.test_b` | cinder \\| is not there |')
})
