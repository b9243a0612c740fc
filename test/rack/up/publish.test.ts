import t from 'tap'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { publish } from '#rack/up/publish.ts'
import { ServerClient } from '#client/server.ts'
import { silentStage } from '#progress/stage.ts'
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
    remedy: /pilotlight import \//,
  })
  t.match(await pilotlight(['get', 'groups', '-o', 'name'], { env: { PILOTLIGHT_SERVER: server.url } }), {
    out: '',
  })

  await pilotlight(['import', ROOT], { env: { PILOTLIGHT_SERVER: server.url } })
  t.ok(await published(), 'once our own data directory is imported')
})
