// What a running server answers for `generic_id` and `cloud_id` of a Matchbox data directory.

import t from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { testServer } from '../../serving.ts'

const profile = (id: string, more: object) => JSON.stringify({ id, ...more })
const group = (id: string, more = {}) => JSON.stringify({ id, profile: id, selector: { t: id }, ...more })

/** A Matchbox data directory whose groups choose a profile by the label `t`. */
function dataDirectory(t: Parameters<typeof testServer>[0]) {
  const root = t.testdir({
    data: {
      profiles: {
        'kick.json': profile('kick', { generic_id: 'kick.tmpl' }),
        'broken.json': profile('broken', { generic_id: 'broken.tmpl' }),
        'climb.json': profile('climb', { generic_id: '../profiles/climb.json' }),
        'cloud.json': profile('cloud', { cloud_id: 'cloud.yaml' }),
        'ordered.json': profile('ordered', { cloud_id: 'ordered.yaml' }),
        'junk.json': profile('junk', { cloud_id: 'junk.yaml' }),
      },
      groups: {
        'kick.json': group('kick', { metadata: { host: 'press-1', disks: ['sda', 'sdb'] } }),
        'broken.json': group('broken'),
        'climb.json': group('climb'),
        'cloud.json': group('cloud'),
        'ordered.json': group('ordered'),
        'junk.json': group('junk'),
      },
      generic: {
        'kick.tmpl': '{{.host}} {{.t}} {{index .request.query "x"}}{{range .disks}} {{.}}{{end}}\n',
        'broken.tmpl': 'a\n{{.nokey}}\n',
      },
      cloud: {
        'cloud.yaml': '#cloud-config\nhostname: {{.t}}\n',
        'ordered.yaml': '#cloud-config\na: !!omap [b, b]\n',
        'junk.yaml': '#cloud-config\na: [1\n',
      },
    },
  })
  return { dataPath: join(root, 'data'), statePath: join(root, 'state') }
}

t.test('a generic template is rendered with metadata, selector and query', async t => {
  const server = await testServer(t, dataDirectory(t))
  const answer = await server.get('/generic?t=kick&x=%FF')
  t.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
  t.ok(Buffer.from(await answer.arrayBuffer()).equals(Buffer.from('press-1 kick \xff sda sdb\n', 'latin1')))
})

t.test('what was found of a cloud config holds for its text alone', async t => {
  const paths = dataDirectory(t)
  const server = await testServer(t, paths)
  const file = join(paths.dataPath, 'cloud/junk.yaml')
  const ask = async () => {
    const answer = await server.get('/cloud?t=junk')
    return [answer.status, await answer.text()] as const
  }
  const broken = await ask()
  t.equal(broken[0], 404)
  t.strictSame(await ask(), broken, 'again')
  writeFileSync(file, '#cloud-config\na: [1]\n')
  await waitUntil('another text', { limitSeconds: 10, everyMs: 20 }, async () => {
    const [status, text] = await ask()
    return status === 200 ? { value: t.equal(text, '#cloud-config\na: [1]\n') } : { not: text }
  })
  writeFileSync(file, '#cloud-config\na: [1\n')
  await waitUntil('the first text again', { limitSeconds: 10, everyMs: 20 }, async () => {
    const [status, text] = await ask()
    return status === 404 ? { value: t.equal(text, broken[1]) } : { not: text }
  })
})

t.test('a part of a generic page is sent for a range', async t => {
  const server = await testServer(t, dataDirectory(t))
  const answer = await server.get('/generic?t=kick', { range: 'bytes=0-6' })
  t.equal(answer.status, 206)
  t.equal(answer.headers.get('content-range'), 'bytes 0-6/22')
  t.equal(await answer.text(), 'press-1')
  const parts = await server.get('/generic?t=kick', { range: 'bytes=0-1,8-9' })
  t.match(parts.headers.get('content-type') ?? '', /^multipart\/byteranges; boundary=\w+$/)
  t.match(
    await parts.text(),
    /^--\w+\r\nContent-Range: bytes 0-1\/22\r\n.*\r\n\r\npr\r\n--\w+\r\n.*\r\n\r\nki\r\n--\w+--\r\n$/s,
  )
})

t.test('what cannot be rendered is not found, and the reason names the place', async t => {
  const server = await testServer(t, dataDirectory(t))
  const answer = await server.get('/generic?t=broken')
  t.equal(answer.status, 404)
  t.equal(await answer.text(), '404 page not found\n')
  t.match(
    answer.headers.get('x-reason') ?? '',
    /generic\/broken.tmpl .* line 2, column 3: \.nokey is not set: there is no entry "nokey"/,
  )
  t.equal((await server.get('/generic?t=climb')).status, 404, 'an id stays in its own folder')
})

t.test('a cloud config is served when it is one', async t => {
  const server = await testServer(t, dataDirectory(t))
  t.equal(await (await server.get('/cloud?t=cloud')).text(), '#cloud-config\nhostname: cloud\n')
  const junk = await server.get('/cloud?t=junk')
  t.equal(junk.status, 404)
  t.match(
    junk.headers.get('x-reason') ?? '',
    /cloud\/junk.yaml renders to something that is not a cloud config: line 3, column 1: /,
  )
  t.equal((await server.get('/cloud?t=ordered')).status, 200, 'no item of a list is compared with the others')
})

t.test('profiles and files are found by ids that are written as paths', async t => {
  const root = t.testdir({
    data: {
      groups: {
        'a.json': '{"profile": "./racks/../p", "selector": {"t": "a"}}',
        'b.json': '{"profile": "/q", "selector": {"t": "b"}}',
      },
      profiles: {
        'p.json': '{"id": "p", "generic_id": "/.note~", "cloud_id": "x/../two"}',
        'q.json': '{"id": "q", "generic_id": "../generic/./.note~"}',
      },
      generic: { '.note~': 'note\n' },
      cloud: { two: '#cloud-config\nhostname: a\n---\nnot read: [\n' },
    },
  })
  const server = await testServer(t, { dataPath: join(root, 'data'), statePath: join(root, 'state') })
  const first = await server.get('/generic?t=a')
  t.equal(first.headers.get('x-reason'), null)
  t.equal(await first.text(), 'note\n')
  t.equal(await (await server.get('/generic?t=b')).text(), 'note\n')
  t.equal((await server.get('/cloud?t=a')).status, 200)
})
