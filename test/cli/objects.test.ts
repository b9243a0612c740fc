// The verbs on objects, each run as a process against a server.

import t from 'tap'
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT } from '#cli/exit.ts'
import { testServer } from '../server/serving.ts'
import { pilotlight } from './pilotlight.ts'

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
  t.match(await pilotlight(['get', 'group', 'g-1', '--json'], { env }), { out: /"mac": "52:54:00:20:00:01"/ })
  t.match(await pilotlight(['get', 'groups'], { env }), {
    out: /^ID +PROFILE +SELECTOR +NAME\ng-1 +a +mac=52:54:00:20:00:01 +-\n/,
  })
  t.match(await pilotlight(['describe', 'profile', 'a'], { env }), {
    out: /used by 1 group: g-1\n\nREVISION/,
  })
  t.match(await pilotlight(['describe', 'template', 'ignition/a.bu'], { env }), {
    out: /used by 1 profile: a/,
  })

  t.equal((await pilotlight(['__complete', '--', 'describe', 'gr'], { env })).out, 'group\n')
  t.equal((await pilotlight(['__complete', '--', 'delete', 'group', 'g-1', 'g'], { env })).out, 'g-1\ng-2\n')
  t.match(await pilotlight(['delete', 'group', 'g-1', 'none'], { env }), {
    status: EXIT.notFound,
    err: /no group "none"/,
  })
  t.match(await pilotlight(['delete', 'group', 'g-1', 'g-2'], { env }), {
    out: 'group g-1 deleted\ngroup g-2 deleted\n',
  })
})

t.test('a mistake in a file is told with its line, and nothing is written', async t => {
  const dataPath = t.testdir()
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url }
  const refused = async (input: string, err: RegExp) =>
    t.match(await pilotlight(['apply', '-f', '-'], { env, input }), { status: EXIT.usage, err })
  await refused('kind: group\nid: a\nprofile: [\n', /^error -:4:1: /)
  await refused('id: a\n', /^error -:1:1: "kind" is missing/)
  await refused('kind: grup\nid: a\n', /did you mean "group"\?/)
  await refused('kind: group\n', /-:1:1: the group has no id/)
  await refused(
    'kind: group\nid: a\nprofile: p\n---\nkind: group\nid: a\n',
    /-:5:1: group "a" is at -:1:1 already/,
  )
  await refused(
    'kind: group\nid: a\nprofile: p\n---\nkind: group\nid: b\nprofile: p\nselector:\n  mac: x\nprio: 1\n',
    /^error -:9:8: group "b": selector.mac: "x" is no MAC address\n {6}-:10:7: group "b": "prio" is unknown/,
  )
  t.match(await pilotlight(['get', 'groups', '-o', 'name'], { env }), { out: '' })
})

t.test('history shows who changed what, and leads back', async t => {
  const dataPath = t.testdir()
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url }
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

t.test('an edit is put back, unless somebody was faster', async t => {
  const dataPath = t.testdir()
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const editor = join(dataPath, 'editor')
  const env = { PILOTLIGHT_SERVER: server.url, EDITOR: editor, VISUAL: '' }
  const write = (script: string) => {
    writeFileSync(editor, `#!/bin/sh\n${script}\n`)
    chmodSync(editor, 0o755)
  }
  await pilotlight(['apply', '-f', '-'], { env, input: '{kind: group, id: g, profile: one}' })
  write(`sed -i s/one/two/ "$1"`)
  t.match(await pilotlight(['edit', 'group', 'g'], { env }), { out: 'group g changed\n' })
  t.match(await pilotlight(['edit', 'group', 'g'], { env }), { out: 'group g unchanged\n' })
  write(
    `sed -i s/two/three/ "$1"; curl -sX PUT -d '{"profile": "meanwhile"}' ${server.url}/v1/groups/g >/dev/null`,
  )
  const late = await pilotlight(['edit', 'group', 'g'], { env })
  t.match(late, {
    status: EXIT.refused,
    err: /"g" was not changed\n.*somebody wrote it since[^]*your text is kept/,
  })
  t.match(await pilotlight(['get', 'group', 'g', '--json'], { env }), { out: /meanwhile/ })
})

t.test('a directory that is imported is exported byte for byte', async t => {
  const layout = {
    groups: {
      'a.json':
        '{\n\t"id": "a",\n\t"profile": "p",\n\t"selector": {\n\t\t"mac": "52:54:00:20:00:01",\n\t\t"os": "installed"\n\t},\n\t"metadata": {\n\t\t"a": [\n\t\t\t1,\n\t\t\t{}\n\t\t],\n\t\t"b": "\\u003c\\u0026"\n\t}\n}',
    },
    profiles: {
      'p.json': '{\n\t"id": "p",\n\t"ignition_id": "a.ign",\n\t"boot": {},\n\t"generic_id": "g"\n}',
      sub: { 'q.json': '{\n\t"id": "sub/q",\n\t"name": "in a folder"\n}' },
    },
    ignition: { 'a.ign': '{"ignition":{"version":"3.4.0"}}' },
    generic: { g: 'any {{.text}}\n' },
    cloud: {},
  }
  const folder = t.testdir({ source: layout, empty: {} })
  const source = join(folder, 'source')
  const server = await testServer(t, { dataPath: join(folder, 'empty'), statePath: join(folder, 'state') })
  const env = { PILOTLIGHT_SERVER: server.url }
  t.match(await pilotlight(['import', source], { env }), {
    status: EXIT.done,
    out: '1 groups created\n2 profiles created\n2 templates created\n',
  })
  const target = join(folder, 'copy')
  t.match(await pilotlight(['export', target], { env }), { status: EXIT.done })
  t.strictSame(filesBelow(target), filesBelow(source))
  t.match(await pilotlight(['export', target], { env }), { status: EXIT.refused, err: /holds files already/ })

  writeFileSync(join(source, 'groups/b.json'), '{"id": "b",}')
  t.match(await pilotlight(['import', source], { env }), { status: EXIT.usage, err: /groups\/b.json:1:12: / })
  t.match(await pilotlight(['import', source, '--skip-broken'], { env }), {
    status: EXIT.done,
    out: /1 groups unchanged/,
  })
})

/** Every file below a folder, with its bytes as text. */
function filesBelow(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(it => it.isFile())
  const files = names.map(it => join(it.parentPath, it.name)).toSorted()
  return Object.fromEntries(files.map(file => [file.slice(folder.length), readFileSync(file, 'latin1')]))
}
