import t from 'tap'
import { join } from 'node:path'
import { EXIT } from '#cli/exit.ts'
import { testServer } from '../server/serving.ts'
import { pilotlight } from './pilotlight.ts'

const ROOT = join(import.meta.dirname, '../..')
const SITE = join(ROOT, 'lab/racks/small/site.yaml')

t.test('a machine that cannot be switched on is named, with what its command said', async t => {
  const folder = t.testdir()
  const server = await testServer(t, { dataPath: ROOT, statePath: join(folder, 'server') })
  const options = ['--server', server.url, '--state', join(folder, 'up'), '--until', 'cluster']
  const powerOn = ['--power-on', 'echo no BMC >&2; test {name} = cmp-1']
  t.match(
    await pilotlight(['up', SITE, ...options, ...powerOn], {
      env: { PILOTLIGHT_STATE_PATH: server.statePath },
    }),
    {
      status: EXIT.failed,
      err: /error ctl-1 could not be switched on\n {2}because: .*no BMC.*\n(?:.*\n)* {2}mend --power-on/,
    },
  )
})
