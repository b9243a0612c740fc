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

t.test('?all lists every group that does not take the machine, and is no label', async t => {
  const groups = Array.from({ length: 8 }, (_, at) => [
    `g${at}.json`,
    JSON.stringify({ id: `g${at}`, profile: 'p', selector: { rack: String(at) } }),
  ])
  const folder = t.testdir({
    data: { groups: Object.fromEntries(groups) as Record<string, string> },
    state: {},
  })
  const server = await testServer(t, { dataPath: join(folder, 'data'), statePath: join(folder, 'state') })
  const ask = async (query: string) =>
    (await (await server.get(`/v1/explain?${query}`)).json()) as {
      labels: object
      losers: object[]
      more: number
    }
  const few = await ask('os=x')
  t.match({ count: few.losers.length, more: few.more }, { count: 5, more: 3 })
  for (const query of ['os=x&all', 'os=x&all=true']) {
    const all = await ask(query)
    t.match(
      { labels: all.labels, count: all.losers.length, more: all.more },
      { labels: { os: 'x' }, count: 8, more: 0 },
    )
    t.notOk('all' in all.labels)
  }
  t.match((await ask('all=false')).labels, { all: 'false' })
  const env = { ...process.env, PILOTLIGHT_STATE_PATH: join(folder, 'state'), PILOTLIGHT_SERVER: server.url }
  const { stdout } = await execute(PILOTLIGHT, ['explain', '--all', '--label', 'os=x'], {
    env,
    timeout: 20_000,
  })
  t.equal(stdout.match(/^lost /gm)?.length, 8)
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
