// /ignition for the files of a Matchbox data directory, over HTTP.

import { join } from 'node:path'
import t from 'tap'
import { testServer } from '../../../serving.ts'

const MAC = 'mac=525400200001'

/** A server with one group for each file of `ignition/`, chosen by `?file=`. */
async function serving(t: Parameters<typeof testServer>[0], ignition: Record<string, string>) {
  const names = Object.keys(ignition)
  const json = (of: (name: string) => object) =>
    Object.fromEntries(names.map(name => [`${name}.json`, JSON.stringify({ id: name, ...of(name) })]))
  const dataPath = t.testdir({
    groups: json(name => ({ profile: name, selector: { file: name }, metadata: { motd: 'Welcome' } })),
    profiles: json(name => ({ ignition_id: name })),
    ignition,
    'motd.txt': 'Welcome\n',
  })
  return testServer(t, { dataPath, statePath: join(dataPath, 'state') })
}

const butane = (contents: string) =>
  `variant: fcos\nversion: 1.5.0\nstorage:\n  files:\n    - path: /etc/motd\n      contents: {${contents}}\n`

t.test('Butane is a template first, and may name files of the data directory', async t => {
  const server = await serving(t, {
    'inline.yaml': butane('inline: "{{.motd}} {{.request.query.file}}"'),
    'local.yaml': butane('local: motd.txt'),
    'new.yaml': 'variant: fcos\nversion: 1.7.0\n',
  })
  const inline = await server.get(`/ignition?${MAC}&file=inline.yaml`)
  t.equal(inline.headers.get('content-type'), 'application/json')
  t.match(await inline.text(), '"source":"data:,Welcome%20inline.yaml"')
  const local = await server.get(`/ignition?${MAC}&file=local.yaml`)
  t.match(await local.text(), '"source":"data:,Welcome%0A"')
  const spec36 = await server.get(`/ignition?${MAC}&file=new.yaml`)
  t.equal(await spec36.text(), '{"ignition":{"version":"3.6.0"}}')
})

t.test('what cannot be served says why, and leaves a boot event', async t => {
  const server = await serving(t, {
    'wrong.yaml': butane('inline: a').replace('/etc', 'etc'),
    'wrong.ign': '{"ignition":{"version":"3.4.0"},"storage":{"files":[{"path":"etc"}]}}',
  })
  const wrong = await server.get(`/ignition?${MAC}&file=wrong.yaml`)
  t.equal(wrong.status, 404)
  t.match(
    wrong.headers.get('x-reason'),
    /^ignition\/wrong.yaml .* line 5, column 13: storage.files\[0\].path: /,
  )
  const ignition = await server.get(`/ignition?${MAC}&file=wrong.ign`)
  t.equal(ignition.status, 503)
  t.match(await ignition.text(), /line 1, column 61: storage.files\[0\].path: "etc" is relative/)
  const journal = await (await server.get('/v1/machines/525400200001/journal')).text()
  t.match(journal, /http refused +ignition\/wrong.yaml/)
  t.match(journal, /http refused +ignition\/wrong.ign/)
})
