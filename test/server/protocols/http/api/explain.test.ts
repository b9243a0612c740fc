import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { testServer } from '../../../serving.ts'

const execute = promisify(execFile)
const PILOTLIGHT = join(import.meta.dirname, '../../../../../bin/pilotlight')

t.test('an explanation is JSON for programs, text for people, and leaves no trace', async t => {
  const folder = t.testdir({
    data: {
      groups: {
        'a.json':
          '{\n  "id": "a",\n  "profile": "gone",\n  "selector": {"mac": "525400200001"},\n  "metdata": {}\n}',
      },
    },
    state: {},
  })
  const server = await testServer(t, { dataPath: join(folder, 'data'), statePath: join(folder, 'state') })
  const json = await server.get('/v1/explain?mac=52-54-00-20-00-01&x=%ff')
  t.match(await json.json(), {
    labels: { mac: '52:54:00:20:00:01' },
    winner: { id: 'a', fits: true },
    lints: [
      { code: 'PL-2020', file: 'groups/a.json', line: 3, column: 14 },
      { code: 'PL-2003', file: 'groups/a.json', line: 5, remedy: /did you mean "metadata"/ },
    ],
  })
  const text = await server.get('/v1/explain?mac=52-54-00-20-00-02', { accept: 'text/plain' })
  t.match(text.headers.get('content-type'), 'text/plain')
  t.match(await text.text(), /^group {5}none of 1 takes it/m)
  t.match(await (await server.get('/v1/events?after=0')).json(), { events: [] })
})

t.test('pilotlight explain prints the explanation as text or JSON', async t => {
  const folder = t.testdir({ data: { groups: { 'a.json': '{"id": "a", "profile": "p"}' } }, state: {} })
  const server = await testServer(t, { dataPath: join(folder, 'data'), statePath: join(folder, 'state') })
  const run = async (...args: string[]) => {
    const env = {
      ...process.env,
      PILOTLIGHT_STATE_PATH: join(folder, 'state'),
      PILOTLIGHT_SERVER: server.url,
    }
    return (await execute(PILOTLIGHT, ['explain', ...args], { env, timeout: 20_000 })).stdout
  }
  t.match(
    await run('--mac', '525400200001', '--label', 'os=installed'),
    /^shows {5}mac=52:54:00:20:00:01 os=installed$/m,
  )
  t.match(JSON.parse(await run('--json')), {
    winner: { id: 'a', why: 'takes any machine; no other group fits' },
  })
})
