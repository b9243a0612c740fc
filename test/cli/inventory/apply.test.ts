import t from 'tap'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT } from '#cli/exit.ts'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../pilotlight.ts'

t.test('apply makes files true, says what it did, and does nothing the second time', async t => {
  const dataPath = t.testdir()
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url }
  const file = join(dataPath, 'rack.yaml')
  writeFileSync(
    file,
    `kind: template
id: ignition/a.bu
content: |
  variant: fcos
  version: 1.5.0
---
kind: profile
id: a
ignition_id: a.bu
---
- {kind: group, id: g-1, profile: a, selector: {mac: 52-54-00-20-00-01}}
- {kind: group, id: g-2, profile: nowhere}
`,
  )
  const tried = await pilotlight(['apply', '-f', file, '--dry-run'], { env })
  t.match(tried, { status: EXIT.done, out: /^template ignition\/a.bu created \(dry run\)\n/ })
  const shown = await pilotlight(['diff', '-f', file, '--exit-code'], { env })
  t.match(shown, {
    status: EXIT.differs,
    out: /^--- \/dev\/null\n\+\+\+ template\/ignition\/a.bu\n@@ -0,0 \+1,2 @@\n\+variant: fcos\n/,
  })

  const first = await pilotlight(['apply', '-f', file], { env })
  t.equal(
    first.out,
    'template ignition/a.bu created\nprofile a created\ngroup g-1 created\ngroup g-2 created\n',
  )
  t.match(first.err, /^warning group g-2: there is no profile "nowhere"/)
  const again = await pilotlight(['apply', '-f', '-'], { env, input: readFileSync(file, 'utf8') })
  t.equal(
    again.out,
    'template ignition/a.bu unchanged\nprofile a unchanged\ngroup g-1 unchanged\ngroup g-2 unchanged\n',
  )
  t.match(await pilotlight(['diff', '-f', file, '--exit-code'], { env }), { status: EXIT.done, out: '' })

  const yaml = await pilotlight(['get', 'groups', '-o', 'yaml'], { env })
  const back = await pilotlight(['apply', '-f', '-'], { env, input: yaml.out })
  t.equal(back.out, 'group g-1 unchanged\ngroup g-2 unchanged\n', 'what get writes, apply takes')
  const templates = await pilotlight(['get', 'templates', '-o', 'yaml'], { env })
  t.match(await pilotlight(['apply', '-f', '-'], { env, input: templates.out }), {
    out: 'template ignition/a.bu unchanged\n',
  })
  t.match(await pilotlight(['get', 'group', 'g-1', '--json'], { env }), { out: /"mac": "52:54:00:20:00:01"/ })
  t.match(await pilotlight(['get', 'groups'], { env }), {
    out: /^ID +PROFILE +SELECTOR +SOURCE +NAME\ng-1 +a +mac=52:54:00:20:00:01 +store +-\n/,
  })
  t.match(await pilotlight(['get', 'template', 'ignition/a.bu'], { env }), {
    out: /^ignition\/a.bu +29 +store /m,
  })
  t.match(await pilotlight(['describe', 'profile', 'a'], { env }), {
    out: /used by 1 group: g-1\n\nREVISION/,
  })
  t.match(await pilotlight(['describe', 'template', 'ignition/a.bu'], { env }), {
    out: /used by 1 profile: a/,
  })

  const { out } = await pilotlight(['describe', 'profile', 'a', '--json'], { env })
  t.match(JSON.parse(out), {
    apiVersion: 'pilotlight/v1',
    kind: 'profile',
    object: { id: 'a', ignition_id: 'a.bu' },
    usedBy: ['g-1'],
    history: [{ revision: Number, action: 'put' }],
  })

  t.equal((await pilotlight(['__complete', '--', 'describe', 'gr'], { env })).out, 'group\n')
  t.equal((await pilotlight(['__complete', '--', 'delete', 'group', 'g-1', 'g'], { env })).out, 'g-2\n')
  t.match(await pilotlight(['delete', 'group', 'g-1', 'none'], { env }), {
    status: EXIT.notFound,
    err: /no group "none"/,
  })
  t.match(await pilotlight(['delete', 'group', 'g-1', 'g-2'], { env }), {
    out: 'group g-1 deleted\ngroup g-2 deleted\n',
  })
})

t.test('the token of another server on this host is not shown to one that asks for none', async t => {
  const dataPath = t.testdir({ elsewhere: { 'admin.token': 'plt_of_another_server' } })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url, PILOTLIGHT_STATE_PATH: join(dataPath, 'elsewhere') }
  const input = 'kind: group\nid: a\nprofile: p\n'
  t.match(await pilotlight(['apply', '-f', '-', '--json'], { env, input }), {
    status: EXIT.done,
    out: /^\{\n {2}"apiVersion": "pilotlight\/v1",\n {2}"items": \[\n {4}\{\n {6}"kind": "group",\n {6}"id": "a",\n {6}"result": "created"/,
  })
  const { out } = await pilotlight(['delete', 'group', 'a', '--json'], { env })
  t.match(JSON.parse(out), { items: [{ kind: 'group', id: 'a', result: 'deleted' }] })
})

t.test('a mistake in a file is reported with its line, and nothing is written', async t => {
  const dataPath = t.testdir()
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url }
  const refused = async (input: string, err: RegExp) =>
    t.match(await pilotlight(['apply', '-f', '-'], { env, input }), { status: EXIT.usage, err })
  await refused('kind: group\nid: a\nprofile: [\n', /^error BAD_INPUT: -:4:1: /)
  await refused('id: a\n', /^error BAD_INPUT: -:1:1: "kind" is missing/)
  await refused('kind: grup\nid: a\n', /did you mean "group"\?/)
  await refused('kind: group\n', /-:1:1: the group has no id/)
  await refused(
    'kind: group\nid: a\nprofile: p\n---\nkind: group\nid: a\n',
    /-:5:1: group "a" is at -:1:1 already/,
  )
  await refused(
    'kind: group\nid: a\nprofile: p\n---\nkind: group\nid: b\nprofile: p\nselector:\n  mac: x\nprio: 1\n',
    /^error BAD_INPUT: -:9:8: group "b": selector.mac: "x" is not a MAC address\n {6}-:10:7: group "b": "prio" is unknown/,
  )
  t.match(await pilotlight(['get', 'groups', '-o', 'name'], { env }), { out: '' })
})

t.test(
  'a file without any object is a mistake, and one of a data directory is reported with the place where it belongs',
  async t => {
    const folder = t.testdir({
      'empty.yaml': '# nothing yet\n',
      groups: { 'a.json': '{"id": "a", "profile": "p"}' },
    })
    t.match(await pilotlight(['apply', '-f', join(folder, 'empty.yaml')]), {
      status: EXIT.usage,
      err: /empty\.yaml holds no object/,
    })
    t.match(await pilotlight(['apply', '-f', '-'], { input: '' }), {
      status: EXIT.usage,
      err: /the input holds no object/,
    })
    t.match(await pilotlight(['apply', '-f', join(folder, 'groups')]), {
      status: EXIT.usage,
      err: /a\.json:1:1: "kind" is missing.*\n.*pilotlight import DIR/,
    })
  },
)
