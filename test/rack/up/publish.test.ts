import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publish } from '#rack/up/publish.ts'
import { ServerClient } from '#client/server.ts'
import { silentStage } from '#progress/stage.ts'
import { siteAuthority } from '#rack/cluster/bundle.ts'
import { fingerprintOfPki } from '#rack/cluster/pki.ts'
import { readSiteFile } from '#rack/site/read.ts'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../../cli/pilotlight.ts'

const ROOT = join(import.meta.dirname, '../../..')

t.test('a site is published only to a server that has what its machines boot', async t => {
  const folder = t.testdir({
    data: { profiles: { 'controller.json': '{"id": "controller", "ignition_id": "other.yaml"}' } },
  })
  const server = await testServer(t, { dataPath: join(folder, 'data'), statePath: join(folder, 'state') })
  const token = readFileSync(join(server.statePath, 'admin.token'), 'utf8').trim()
  const site = await readSiteFile(join(ROOT, 'lab/racks/small/site.yaml'))
  const published = () => publish(site, new ServerClient(server.url, token), join(folder, 'up'), silentStage)
  await t.rejects(published(), {
    message: 'the server has no profile "controller" whose Ignition config brings our agent',
    remedy: /rename that one .*pilotlight import \/\S+ --hide$/,
  })
  t.match(await pilotlight(['get', 'groups', '-o', 'name'], { env: { PILOTLIGHT_SERVER: server.url } }), {
    out: '',
  })

  const refused = await pilotlight(['import', ROOT, '--dry-run'], { env: { PILOTLIGHT_SERVER: server.url } })
  t.equal(refused.status, 4)
  t.match(
    refused.err,
    /^error IN_THE_WAY: profile controller of \S+ would hide a file of the server's data directory/,
  )
  t.match(refused.err, / {2}fix: rename it in .*pilotlight import \S+ --hide\n/)
  await pilotlight(['import', ROOT, '--hide'], { env: { PILOTLIGHT_SERVER: server.url } })
  t.ok(await published(), 'once our own data directory is imported')
  t.equal((await server.put('/v1/profiles/controller', { boot: {} }, server.admin)).status, 200)
  await t.rejects(
    published(),
    {
      message: /^the server has no profile/,
      remedy: /pilotlight delete profile controller .*pilotlight import \S+ --replace$/,
    },
    'one of the store hides ours',
  )
})

t.test('a site is refused from a second state directory, and says what is new from its own', async t => {
  const server = await testServer(t, { dataPath: ROOT })
  const token = readFileSync(join(server.statePath, 'admin.token'), 'utf8').trim()
  const client = new ServerClient(server.url, token)
  const site = await readSiteFile(join(ROOT, 'lab/racks/small/site.yaml'))
  const said: string[] = []
  const stage = { ...silentStage, done: (text?: string) => void said.push(text ?? '') }
  const own = join(t.testdirName, 'own')
  await publish(site, client, own, stage)
  await publish(site, client, own, stage)
  const first = await fingerprintOfPki(join(own, 'pki'))
  t.equal(await client.authorityOf(site.name), first)

  const other = join(t.testdirName, 'other')
  await t.rejects(publish(site, client, other, stage), {
    code: 'OTHER_AUTHORITY',
    message: `the server has site small with the authority ${first}, and ${other} has none yet`,
    remedy: /--state; .*--replace-authority$/,
  })
  t.equal(await fingerprintOfPki(join(other, 'pki')), undefined, 'no second authority was made')

  const { pki } = await publish(site, client, other, stage, { replaceAuthority: true })
  const second = await fingerprintOfPki(join(other, 'pki'))
  t.not(second, first)
  t.equal(await client.authorityOf(site.name), second)
  await t.rejects(publish(site, client, own, stage), {
    message: `authority ${second}, and ${own} has ${first}`,
  })
  t.strictSame(said, [
    `2 machines, new: a certificate authority in ${own}/pki, the site, 2 bundles`,
    '2 machines, as they were',
    `2 machines, new: a certificate authority in ${other}/pki, 2 bundles`,
  ])

  const { pki: mine } = await publish(site, client, own, silentStage, { replaceAuthority: true })
  t.not(mine.authorities.ca.certificate, pki.authorities.ca.certificate)
  await t.rejects(client.putAuthority(site.name, siteAuthority(pki)), {
    code: 'OTHER_AUTHORITY',
    httpStatus: 409,
    message: new RegExp(`has the authority ${first} here, and ${second} was given`),
  })
})
