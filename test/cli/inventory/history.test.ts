import t from 'tap'
import { join } from 'node:path'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../pilotlight.ts'

t.test('history shows who changed what, and leads back', async t => {
  const dataPath = t.testdir()
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url }
  for (const more of [[], ['--diff']]) {
    t.match(await pilotlight(['history', 'group', 'g', ...more], { env }), {
      status: 3,
      err: /error NOT_FOUND: There is no group "g"/,
    })
  }
  for (const profile of ['one', 'two']) {
    await pilotlight(['apply', '-f', '-'], { env, input: `{kind: group, id: g, profile: ${profile}}` })
  }
  const { out } = await pilotlight(['history', 'group', 'g', '--diff'], { env })
  t.match(out, /^\d+ {2}\S+ {2}loopback {2}put\n[^]*-  "profile": "one"\n\+ {2}"profile": "two"/)
  const [, first = ''] = /\n(\d+) {2}/.exec(out) ?? []
  t.match(await pilotlight(['history', 'group', 'g', '--revert', first], { env }), {
    out: 'group g changed\n',
  })
  t.match(await pilotlight(['get', 'group', 'g', '--json'], { env }), { out: /"profile": "one"/ })
})
