import t from 'tap'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitUntil } from '#progress/wait.ts'
import { site, testServer } from '../../../serving.ts'

t.test('a declared machine boots by what it is', async t => {
  const server = await testServer(t)
  t.match(await (await server.put('/v1/sites/rack-1', site)).json(), { changed: true })
  t.match(await (await server.put('/v1/sites/rack-1', site)).json(), { changed: false })

  const boot = await server.get('/boot.ipxe')
  t.equal(boot.headers.get('content-type'), 'text/plain; charset=utf-8')
  t.match(await boot.text(), `chain ${server.url}/ipxe?uuid=\${uuid}&mac=\${mac:hexhyp}&domain=`)

  const script = await server.get('/ipxe?uuid=x&mac=52-54-00-20-00-01&serial=')
  t.equal(script.status, 200)
  t.match(script.headers.get('content-length'), /^\d+$/, 'firmware wants a length, not chunks')
  t.match(
    await script.text(),
    new RegExp(`^kernel ${server.url}/assets/live/vmlinuz initrd=microcode.img initrd=initrd.img `, 'm'),
  )

  const config = await server.get('/ignition?mac=52:54:00:20:00:01')
  t.equal(config.headers.get('content-type'), 'application/json')
  t.match(await config.json(), { ignition: { version: /^3\./ } })

  t.match(await (await server.get('/metadata?mac=525400200001')).text(), /^ROLE=controller$/m)
  const journal = await (await server.get('/v1/machines/ctl-1/journal')).text()
  t.match(journal, /^ctl-1 b-0001 .*\n +0\.\ds http script +runs profile controller\n +\d+\.\ds http config /)
  const machines = await (await server.get('/machines')).json()
  t.match(machines, [
    { id: 'ctl-1', phase: 'config', boot: 'b-0001' },
    { id: 'cmp-1', phase: 'new' },
  ])
  const none = await server.get('/v1/machines/cmp-1/journal')
  t.equal(none.status, 404)
  t.match(await none.json(), { detail: /^cmp-1 has not booted yet\. Switch it on/ })
})

t.test('an undeclared machine gets a script that says so, waits, and is listed', async t => {
  const server = await testServer(t)
  for (let asks = 0; asks < 3; asks += 1) {
    const answer = await server.get('/ipxe?mac=52-54-00-20-00-99')
    t.equal(answer.status, 404)
    t.equal(await answer.text(), '404 page not found\n')
    t.match(answer.headers.get('x-reason'), /No group matches mac=52:54:00:20:00:99 \(0 known\)/)
  }
  t.match(await (await server.get('/machines')).json(), [
    { id: '52:54:00:20:00:99', declared: false, phase: 'new' },
  ])
  const journal = await (await server.get('/v1/machines/52-54-00-20-00-99/journal')).text()
  t.equal(journal.split('\n').length, 3, 'asking again and again is one line')

  await server.put('/v1/sites/rack-1', {
    ...site,
    groups: [{ id: 'x', profile: 'live', selector: { mac: '52-54-00-20-00-99' } }],
  })
  t.equal((await server.get('/ipxe?mac=52-54-00-20-00-99')).status, 200, 'MACs of selectors are normalised')
})

t.test('a broken template is a 503 with file, line and reason, and a boot event', async t => {
  const dataPath = t.testdir({
    groups: { 'default.json': '{"id":"default","profile":"p"}' },
    profiles: {
      'p.json': '{"id":"p","ignition_id":"node.ign.njk","boot":{"kernel":"/k","args":["a={{ nothing }}"]}}',
    },
    ignition: { 'node.ign.njk': '{\n "ignition": {"version": "{{ metadata.version }}"}\n}' },
    ipxe: { 'profile.ipxe.njk': '#!ipxe\nkernel {{ boot.kernel }}' },
  })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const ignition = await server.get('/ignition?mac=525400200001')
  t.equal(ignition.status, 503)
  t.match(
    await ignition.text(),
    /^ignition\/node.ign.njk cannot be rendered: line 2, column \d+: a value is not defined in "/,
  )
  const script = await server.get('/ipxe?mac=525400200001')
  t.equal(script.status, 503)
  t.match(await script.text(), 'profile p cannot be rendered: a value is not defined in "a={{ nothing }}"')
  t.match(
    await (await server.get('/v1/machines/525400200001/journal')).text(),
    /http refused +ignition\/node.ign.njk/,
  )

  writeFileSync(join(dataPath, 'ignition/node.ign.njk'), '{"ignition": {"version": "3.4.0"},}')
  const said = /is not an Ignition config that a machine can use: line 1, column 35: a key in quotes/
  const limits = { limitSeconds: 5, everyMs: 10 }
  const { status } = await waitUntil('the changed template', limits, async () => {
    const answer = await server.get('/ignition?mac=525400200001')
    const text = await answer.text()
    return said.test(text) ? { value: answer } : { not: text }
  })
  t.equal(status, 503)
})

t.test('what clients send is data, never template source', async t => {
  const dataPath = t.testdir({
    groups: { 'default.json': '{"id":"default","profile":"p"}' },
    profiles: { 'p.json': '{"id":"p","ignition_id":"a.ign.njk"}' },
    ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"x":{{ labels.x | json }}}' },
  })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const config = await server.get(`/ignition?x=${encodeURIComponent('{{ agent.ca }}{% set a = 1 %}"')}`)
  t.match(await config.json(), { x: '{{ agent.ca }}{% set a = 1 %}"' })
})

t.test('a Matchbox data directory is served as Matchbox does', async t => {
  const dataPath = t.testdir({
    groups: { 'default.json': '{"ID":"default","Profile":"p","selector":{"os":"installed"}}' },
    profiles: {
      'p.json': '{"id":"p","ignition_id":"p.ign","boot":{"kernel":"/k","initrd":["/i"],"args":["a={{x}}"]}}',
    },
    ignition: { 'p.ign': '{"ignition":{"version":"3.3.0"}}' },
  })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  t.equal(
    await (await server.get('/boot.ipxe')).text(),
    '#!ipxe\nchain ipxe?uuid=${uuid}&mac=${mac:hexhyp}&domain=${domain}&hostname=${hostname}' +
      '&serial=${serial}&arch=${buildarch:uristring}\n',
  )
  t.equal(
    await (await server.get('/ipxe?os=installed')).text(),
    '#!ipxe\nkernel /k a={{x}}\ninitrd /i\nboot\n',
  )
  t.match(
    await (await server.get('/ignition?os=installed')).text(),
    /^\{"ignition":\{"config".*"version":"3.4.0"\},"kernelArguments":\{\},.*"systemd":\{\}\}$/,
  )
  const post = await fetch(`${server.url}/ipxe?os=installed`, { method: 'POST', body: 'anything' })
  t.equal(post.status, 200, 'the method does not matter')
  t.equal((await server.get('/ipxe')).status, 404)
  t.equal(await (await server.get('/')).text(), 'matchbox\n')
  t.equal((await server.get('/', { accept: 'text/html' })).headers.get('location'), '/ui/')
})

t.test('the page comes with a policy that lets nothing else in', async t => {
  const server = await testServer(t)
  const page = await server.get('/ui/')
  t.match(page.headers.get('content-security-policy'), /^default-src 'none'; script-src 'self';/)
  const html = await page.text()
  for (const [, file] of html.matchAll(/(?:src|href)="(page\.[a-z]+)"/g)) {
    t.equal(await (await server.get(`/ui/${file}`)).text(), readFileSync(`web/${file}`, 'utf8'))
  }
  t.notMatch(html, /<style|onclick|https?:/, 'nothing inline, nothing from elsewhere')
})

t.test('what was written a moment ago is served, and no machine gets a 404 for it', async t => {
  const dataPath = t.testdir({ profiles: {} })
  const server = await testServer(t, { dataPath, statePath: join(dataPath, 'state') })
  const write = (path: string, content: unknown) =>
    writeFileSync(join(dataPath, path), typeof content === 'string' ? content : JSON.stringify(content))
  mkdirSync(join(dataPath, 'groups'))
  for (const folder of ['generic', 'cloud']) mkdirSync(join(dataPath, folder))
  for (let turn = 0; turn < 20; turn += 1) {
    const [id, query] = [`n${turn}`, `?n=${turn}`]
    write(`groups/${id}.json`, { id, profile: id, selector: { n: String(turn) }, metadata: { id } })
    t.match(await (await server.get(`/metadata${query}`)).text(), `ID=${id}\n`)
    write(`profiles/${id}.json`, { id, generic_id: id, cloud_id: id, boot: { kernel: `/${id}` } })
    t.match(await (await server.get(`/ipxe${query}`)).text(), `\nkernel /${id}`)
    write(`generic/${id}`, '{{.id}}')
    t.equal(await (await server.get(`/generic${query}`)).text(), id)
    t.equal((await server.get(`/cloud${query}`)).status, 404)
    rmSync(join(dataPath, `groups/${id}.json`))
  }
})
