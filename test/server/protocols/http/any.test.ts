// Whatever a client sends and whatever is in the data directory: an answer, in time, and never a 500.

import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { sleep } from '#progress/wait.ts'
import { testServer } from '../../serving.ts'

const ROUTES = [
  'ipxe',
  'grub',
  'ignition',
  'generic',
  'cloud',
  'metadata',
  'boot.ipxe',
  'v1/explain',
  'assets/',
  'ipxe.sig',
]

const data = {
  groups: {
    'default.json': '{"id": "default", "profile": "matchbox", "metadata": {"a": {"b": [1, null]}}}',
    'ours.json':
      '{"id": "ours", "profile": "ours", "selector": {"os": {"glob": "a*"}, "mac": {"present": false}}}',
    'net.json': '{"id": "net", "profile": "gone", "selector": {"ip": {"cidr": "::/0"}, "uuid": ["x", ""]}}',
  },
  profiles: {
    'matchbox.json':
      '{"id": "matchbox", "boot": {"kernel": "/k"}, "ignition_id": "b.yaml", "generic_id": "g", "cloud_id": "c"}',
    'ours.json': '{"id": "ours", "boot": {"kernel": "/k {{ labels.os }}"}, "ignition_id": "i.ign.njk"}',
  },
  ignition: {
    'b.yaml': 'variant: fcos\nversion: 1.5.0\nstorage: {files: [{path: "/{{.request.query.os}}"}]}\n',
    'i.ign.njk': '{"ignition": {"version": "{{ labels.version }}"}}',
  },
  generic: {
    g: '{{range $k, $v := .request.query}}{{$k}}={{printf "%q" $v}}\n{{end}}{{.request.raw_query}}',
  },
  cloud: { c: '#cloud-config\nx: {{.request.query.os}}\n' },
}

async function serverOf(t: Test) {
  const folder = t.testdir({ data, state: {} })
  const dataPath = join(folder, 'data')
  return { dataPath, server: await testServer(t, { dataPath, statePath: join(folder, 'state') }) }
}

const word = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('mac', 'os', 'uuid', 'ip', 'version', '3.4.0', 'ab', '::1'),
)
const pair = fc
  .tuple(word, word)
  .map(
    ([key, value]) => `${encodeURIComponent(key.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`,
  )
const noise = fc.string({
  unit: fc.constantFrom('%', '&', '=', ';', '+', '?', '/', '.', 'a', '0', 'F', 'é', '"', '<'),
})
const query = fc
  .array(fc.oneof({ weight: 3, arbitrary: pair }, noise), { maxLength: 5 })
  .map(parts => parts.join('&'))

t.setTimeout(120_000)

t.test('any labels get an answer, and never a 500', async t => {
  const { server } = await serverOf(t)
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ROUTES), query, async (route, query) => {
      const answer = await server.get(`/${route}?${query}`)
      await answer.arrayBuffer()
      return answer.status !== 500
    }),
    { numRuns: 500 },
  )
  t.strictSame(
    server.logged.filter(line => line.startsWith('error') && !/cannot|is not an Ignition config/.test(line)),
    [],
  )
})

t.test('any bytes on the socket get an answer or an end', async t => {
  const { server } = await serverOf(t)
  const { port, hostname } = new URL(server.url)
  const head = fc.constantFrom(
    'GET /ipxe?',
    'GET /metadata?',
    'POST /ignition?',
    'PUT /v1/groups/',
    'HEAD /',
    'GET ',
  )
  const raw = fc
    .tuple(head, fc.uint8Array({ maxLength: 60 }), fc.boolean())
    .map(([head, bytes, isLine]) =>
      Buffer.concat([
        Buffer.from(head),
        bytes,
        Buffer.from(isLine ? ' HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' : '\r\n\r\n'),
      ]),
    )
  await fc.assert(
    fc.asyncProperty(fc.oneof(raw, fc.uint8Array({ maxLength: 200 })), async bytes => {
      const socket = connect(Number(port), hostname)
      socket.end(bytes) // nothing more will come
      const chunks: Buffer[] = []
      const end = (async () => {
        for await (const chunk of socket) chunks.push(chunk as Buffer)
      })().catch(() => undefined) // a reset is an end as well
      await Promise.race([end, sleep(10_000).then(() => Promise.reject(new Error('no answer in 10 s')))])
      return !Buffer.concat(chunks).toString('latin1').startsWith('HTTP/1.1 500')
    }),
    { numRuns: 300, endOnFailure: true },
  )
  t.equal((await server.get('/')).status, 200, 'the server is well')
})

t.test('any data directory is served, and never with a 500', async t => {
  const { server, dataPath } = await serverOf(t)
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.constantFrom(
      '{"id":"x","profile":"ours","selector":{"__proto__":"x"}}',
      '{"id":"x","boot":{"initrd":[null]},"ignition_id":"i.ign.njk"}',
    ),
    fc.string({
      unit: fc.constantFrom(
        '{{',
        '}}',
        '{%',
        '%}',
        '.',
        ' if ',
        ' end ',
        'range',
        '"',
        '|',
        '$x',
        ':=',
        'a',
        '(',
        ')',
      ),
    }),
  )
  const file = fc.constantFrom(
    'groups/x.json',
    'profiles/ours.json',
    'ignition/b.yaml',
    'ignition/i.ign.njk',
    'generic/g',
    'cloud/c',
  )
  await fc.assert(
    fc.asyncProperty(file, text, fc.constantFrom(...ROUTES), async (file, text, route) => {
      writeFileSync(join(dataPath, file), text)
      await sleep(30) // it may be read now or later: no answer is awaited
      const answer = await server.get(`/${route}?os=a&version=3.4.0`)
      await answer.arrayBuffer()
      return answer.status !== 500
    }),
    { numRuns: 100 },
  )
})
