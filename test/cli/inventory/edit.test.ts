import t from 'tap'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXIT } from '#cli/exit.ts'
import { testServer } from '../../server/serving.ts'
import { pilotlight } from '../pilotlight.ts'
import { absent } from '../../absent.ts'

t.test('an edit is put back, unless someone was faster', { skip: absent('curl') }, async t => {
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
  t.match(await pilotlight(['edit', 'group', 'g', '--json'], { env }), { out: /"result": "unchanged"/ })
  write(
    `sed -i s/two/three/ "$1"; curl -sX PUT -d '{"profile": "meanwhile"}' ${server.url}/v1/groups/g >/dev/null`,
  )
  const late = await pilotlight(['edit', 'group', 'g'], { env })
  t.match(late, {
    status: EXIT.refused,
    err: /"g" was not changed\n.*someone wrote it since[^]*your text is kept/,
  })
  t.match(await pilotlight(['get', 'group', 'g', '--json'], { env }), { out: /meanwhile/ })
})
