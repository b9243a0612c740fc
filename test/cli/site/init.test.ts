import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { askFor, init } from '#cli/site/init.ts'
import { readSiteFile } from '#rack/site/read.ts'

const one = ['52:54:00:20:00:01']

test('flags alone make a site file that can be read', async t => {
  const file = join(await mkdtemp(join(tmpdir(), 'pilotlight-')), 'site.yaml')
  const site = await init(file, { controller: one, compute: ['52:54:00:20:00:02'] }, false)
  t.same(await readSiteFile(file), site)
  t.same(
    site.machines.map(({ name, role, address }) => [name, role, address]),
    [
      ['ctl-1', 'controller', '10.20.0.11'],
      ['cmp-1', 'compute', '10.20.0.12'],
    ],
  )
})

test('a file that is there stays, unless --force is given', async t => {
  const file = join(await mkdtemp(join(tmpdir(), 'pilotlight-')), 'site.yaml')
  await writeFile(file, 'mine\n')
  await t.rejects(init(file, { controller: one }, false), { code: 'IN_THE_WAY', message: /is there already/ })
  t.equal(await readFile(file, 'utf8'), 'mine\n')
  await init(file, { controller: one, force: true }, false)
  t.match(await readFile(file, 'utf8'), /role: controller/)
})

test('a bad answer writes nothing and says which', async t => {
  const file = join(await mkdtemp(join(tmpdir(), 'pilotlight-')), 'site.yaml')
  await t.rejects(init(file, { controller: ['nonsense'] }, false), {
    message: /"nonsense" is not a MAC address/,
  })
  await t.rejects(init(file, {}, false), { code: 'BAD_OPTION', message: /no controller/ })
  const three = ['52:54:00:20:00:01', '52:54:00:20:00:02', '52:54:00:20:00:03']
  await t.rejects(init(file, { controller: three }, false), {
    code: 'BAD_OPTION',
    message: /3 controllers are named, and one is what this version brings up/,
    remedy: /--compute/,
  })
  await t.rejects(readFile(file), { code: 'ENOENT' })
})

test('only what the flags leave open is asked for, and Enter takes the default', async t => {
  const asked: string[] = []
  const answers = await askFor({ name: 'r1', subnet: '10.9.0.0/24' }, async (question, byDefault) => {
    asked.push(question.split(' ')[0] ?? '')
    return question.startsWith('MAC address of') ? one.join() : byDefault
  })
  t.same(asked, ['DHCP', 'MAC', 'MAC', 'Network'])
  t.match(answers, { name: 'r1', subnet: '10.9.0.0/24', dhcp: 'full', controllers: one, computes: [] })
})
