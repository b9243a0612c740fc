// What the host must have: found without installing anything.

import t from 'tap'

import { ensurePrerequisites, goVersion, isAtLeast, lackingPackages } from '#host/prerequisites.ts'
import { silentStage } from '#progress/stage.ts'

const shell = { command: 'sh', package: 'dash', why: 'scripts' }
const file = { command: '/etc/passwd', package: 'base-passwd', why: 'users' }
const absent = { command: 'pilotlight-has-no-such-command', package: 'nothing', why: 'this test' }

t.test('commands on the PATH and files are found, and what is missing is named', async t => {
  t.same(await lackingPackages([shell, file, absent]), [absent])
})

t.test('nothing is done when all is there', async t => {
  await t.resolves(ensurePrerequisites(silentStage, [shell, file, { gigabytes: 0, why: 'this test' }]))
})

t.test(
  'what cannot be installed is refused with the reason and the remedy, before anything is installed',
  async t => {
    const needs = [absent, { gigabytes: 1e9, why: 'a very large rack' }]
    await t.rejects(ensurePrerequisites(silentStage, needs), {
      code: 'PREREQUISITES_MISSING',
      message: /1000000000 GB free at .*: a very large rack[^]*Install it with: apt-get install .* nothing/,
    })
  },
)

t.test('nothing is begun once the caller has given up', async t => {
  const stopped = AbortSignal.abort(new Error('enough'))
  await t.rejects(ensurePrerequisites(silentStage, [absent], stopped), { message: 'enough' })
})

t.test('Go versions are read and compared as numbers', async t => {
  t.equal(goVersion('go version go1.26.8 linux/amd64\n'), '1.26.8')
  t.equal(goVersion('command not found'), undefined)
  t.ok(isAtLeast('1.26.8', '1.26'))
  t.ok(isAtLeast('1.30', '1.26.3'))
  t.notOk(isAtLeast('1.9.9', '1.26'))
})
