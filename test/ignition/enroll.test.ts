// How the agent gets its bundle: its own functions, with age, jq, curl and openssl, against a whole server.

import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CommandFailed, run } from '#host/command.ts'
import type { BundleDescription } from '#model/bundle.ts'
import { waitUntil } from '#progress/wait.ts'
import { siteAuthority } from '#rack/cluster/bundle.ts'
import { fingerprintOf } from '#server/agent/sealing.ts'
import { machineKey } from '../machine-key.ts'
import { testPki } from '../site-pki.ts'
import { passMinutes } from '../pass-minutes.ts'
import { site, testServer, type TestServer } from '../server/serving.ts'

const absent = ['age', 'age-keygen', 'jq', 'curl', 'openssl'].filter(
  tool => !existsSync(join('/usr/bin', tool)),
)
const skip = absent.length > 0 ? `${absent.join(', ')} not installed` : false
const script = readFileSync(join(import.meta.dirname, '../../ignition/scripts/agent'), 'utf8')
const MAC = '52-54-00-20-00-01'

/** A config with a token where a test reads it, and where the agent does. */
const CONFIG = `{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }},"storage":{"files":[
  {"path":"/etc/hostname","contents":{"source":"data:,ctl-1"}},
  {"path":"/etc/pilotlight/agent.env","contents":{"source":{{ ("ROLE=none\nMACHINE=" + machine.name + "\n") | dataurl | json }}}},
  {"path":"/etc/pilotlight/authorization","contents":{"source":{{ ("Authorization: Bearer " + agent.token + "\\n") | dataurl | json }}}}
]}}`

/** A curl that first gives the answers of which the statuses are listed in a file, one a line: those of a busy server. */
const BUSY_FIRST = `#!/bin/bash
list=\${0%/bin/curl}/busy
while [[ " $* " = *' --output '* && -s $list ]]; do
  head -n 1 "$list" | tr -d '\\n'
  sed -i 1d "$list"
  printf '{"title":"BUSY"}' > "$(printf '%s\\n' "$@" | grep -A 1 -x -e --output | tail -n 1)"
  exit
done
exec /usr/bin/curl "$@"
`

t.setTimeout(120_000) // the agent asks again every few seconds

/** A server with a bundle of two certificates, and a machine that is booted as far as its config. */
async function bootedMachine(t: Test) {
  const directory = t.testdir({
    profiles: { 'controller.json': '{"id":"controller","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}' },
    ignition: { 'a.ign.njk': CONFIG },
    home: {},
    work: {},
    bin: { journalctl: '#!/bin/sh\n', curl: BUSY_FIRST },
    pki: {},
  })
  const at = (path: string) => join(directory, path)
  await run('chmod', ['755', at('bin/journalctl'), at('bin/curl')], { limitSeconds: 5 })
  const server = await testServer(t, { dataPath: directory, statePath: at('state') })
  const pki = await testPki(at('pki'))
  await server.put('/v1/sites/rack-1', site)
  const put = await server.put('/v1/sites/rack-1/authority', siteAuthority(pki))
  if (put.status !== 200) throw new Error(await put.text())
  const request = (name: string) => ({
    name,
    key: at(`root/${name}/client.key`),
    certificate: at(`root/${name}/client.crt`),
    signer: 'ca',
    commonName: `system:node:${name}`,
    purposes: ['client'] as const,
    dns: [],
    addresses: [],
    days: 30,
  })
  const bundle: BundleDescription = {
    site: 'rack-1',
    files: [{ path: at('root/hello'), mode: 0o640, content: 'hello\n' }],
    requests: [request('one'), request('two')],
    secrets: [],
  }
  await server.put('/v1/machines/ctl-1/bundle', bundle)
  await server.get(`/ipxe?mac=${MAC}`)
  const config = async () => (await (await server.get(`/ignition?mac=${MAC}`)).json()) as { token: string }
  const { token } = await config()
  writeFileSync(at('cmdline'), `quiet ignition.config.url=${server.url}/ignition?mac=${MAC} x=1\n`)
  writeFileSync(at('home/authorization'), `Authorization: Bearer ${token}\n`)
  writeFileSync(at('home/ca.crt'), readFileSync(at('state/ca.crt')))
  /** A request to the agents' side with another key, as a host with the machine's address sends it. */
  const enrollAs = async (held: string, recipient: string) => {
    const args = [
      '--silent',
      '--cacert',
      at('state/ca.crt'),
      '--output',
      at('answer'),
      '--write-out',
      '%{http_code}',
    ]
    const headers = [
      '--header',
      `Authorization: Bearer ${held}`,
      '--header',
      'Content-Type: application/json',
    ]
    const body = ['--data', JSON.stringify({ key: recipient })]
    const url = `${server.agentUrl}/agent/v1/enroll`
    return (await run('/usr/bin/curl', [...args, ...headers, ...body, url], { limitSeconds: 20 })).stdout
  }
  return { server, at, token, config, enrollAs }
}

/** Runs the agent's `fetch_bundle` as the agent does; gives what it said and how it ended. */
function fetchBundle(server: TestServer, at: (path: string) => string, limitSeconds = 60) {
  return runAgent(
    server,
    at,
    `retry ${limitSeconds} 'report "booted"' report booted up\nretry 60 'fetch the bundle' fetch_bundle`,
  )
}

/** Runs commands with the agent's functions. */
function runAgent(server: TestServer, at: (path: string) => string, commands: string) {
  const functions = script
    .replace(/^\. \/etc\/pilotlight\/agent\.env.*$/m, '')
    .replace(/^main$/m, '')
    .replace('home=/etc/pilotlight', `home=${at('home')}`)
    .replace('work=/run/pilotlight-agent', `work=${at('work')}`)
    .replace('initrd=/run/pilotlight', `initrd=${at('initrd')}`)
    .replaceAll('/dev/console', at('console'))
    .replaceAll('/proc/cmdline', at('cmdline'))
  const text = `PATH=${at('bin')}:$PATH AGENT_URL=${server.agentUrl} MACHINE=ctl-1\n${functions}\n${commands}`
  return run('bash', ['-c', text], { limitSeconds: 90 }).then(
    ({ stdout, stderr }) => ({ status: 0, said: stdout + stderr }),
    (error: CommandFailed) => ({ status: error.status, said: error.stdout + error.stderr }),
  )
}

/** A text as the source of a file in a config. */
function source(text: string): string {
  return `data:;base64,${Buffer.from(text).toString('base64')}`
}

/** A config with a token, as the agent looks for it. */
function configOf(token: string, environment = 'MACHINE=ctl-1\n'): string {
  const texts = { 'agent.env': environment, authorization: `Authorization: Bearer ${token}\n` }
  const files = Object.entries(texts).map(([name, text]) => {
    return { path: `/etc/pilotlight/${name}`, contents: { source: source(text) } }
  })
  return JSON.stringify({ storage: { files } })
}

/** Waits until the machine's key waits for an operator. */
function untilPending(server: TestServer) {
  return waitUntil('the key', { limitSeconds: 30, everyMs: 50 }, async () => {
    const keys = (await (await server.get('/v1/keys?state=pending')).json()) as { fingerprint: string }[]
    const [key] = keys
    return key === undefined ? { not: 'none waits' } : { value: key }
  })
}

t.test(
  'waits for its approval, says so on the console, and gets a sealed bundle with its own keys',
  { skip },
  async t => {
    const { server, at } = await bootedMachine(t)
    mkdirSync(at('initrd'))
    await run('age-keygen', ['--output', at('initrd/machine.key')], { limitSeconds: 5 })
    const fetched = fetchBundle(server, at)
    const { fingerprint } = await untilPending(server)
    const command = `pilotlight machines approve ctl-1 --fingerprint ${fingerprint}`
    await waitUntil('the console', { limitSeconds: 30, everyMs: 50 }, async () => {
      const text = existsSync(at('console')) ? readFileSync(at('console'), 'utf8') : ''
      return text.includes(command) ? { value: true } : { not: text }
    })
    t.equal((await server.post('/v1/machines/ctl-1/approve', {}, server.admin)).status, 200)
    const { status, said } = await fetched
    t.equal(status, 0, said)
    t.match(said, / waits: [^]*the bundle is unpacked/)
    t.equal(readFileSync(at('root/hello'), 'utf8'), 'hello\n')
    t.equal(statSync(at('root/hello')).mode & 0o777, 0o640)
    for (const name of ['one', 'two']) {
      const certificate = new X509Certificate(readFileSync(at(`root/${name}/client.crt`)))
      t.match(certificate.subject, `CN=system:node:${name}`)
      const key = createPrivateKey(readFileSync(at(`root/${name}/client.key`)))
      t.ok(certificate.checkPrivateKey(key), 'made by the machine')
      t.equal(createPublicKey(key).asymmetricKeyType, 'ec')
      t.equal(statSync(at(`root/${name}/client.key`)).mode & 0o777, 0o600)
    }
    t.match(await fetchBundle(server, at), { status: 2, said: /refuses this machine's key with 409/ })
  },
)

t.test('makes a key where the initrd made none, and stops when it is rejected', { skip }, async t => {
  const { server, at } = await bootedMachine(t)
  const fetched = fetchBundle(server, at)
  await untilPending(server)
  t.equal(statSync(at('initrd/machine.key')).mode & 0o777, 0o600)
  t.equal((await server.post('/v1/machines/ctl-1/reject', {}, server.admin)).status, 200)
  const { status, said } = await fetched
  t.equal(status, 2, said)
  t.match(said, /the server refuses this machine's key with 403: .*was rejected/)
  t.notOk(existsSync(at('root')))
})

t.test('ends with the cause and the remedy when no one approves its key in time', { skip }, async t => {
  const { server, at } = await bootedMachine(t)
  const fetched = fetchBundle(server, at)
  await untilPending(server)
  passMinutes(t, 61)
  const { status, said } = await fetched
  t.equal(status, 2, said)
  const why =
    "the server refuses this machine's key with 403: No operator approved the key of ctl-1 within 60 minutes. " +
    'Switch the machine off and on, and approve the key that it shows then:  pilotlight machines pending'
  t.match(said, `failed: ${why}\n`)
  t.match(readFileSync(at('console'), 'utf8'), `failed: ${why}\n`, 'on the console, too')
  const keys = (await (await server.get('/v1/keys?state=pending')).json()) as { why: string }[]
  t.match(keys, [
    { why: /no operator approved it in time, and the machine asks no more: switch it off and on/ },
  ])
  const journal = await (await server.get('/v1/machines/ctl-1/journal')).text()
  t.match(journal, / held .*No operator approved the key of ctl-1 within 60 minutes/)
})

t.test(
  'goes on by itself once an operator rejected the four keys of others that waited before it',
  { skip },
  async t => {
    const { server, at, token, enrollAs } = await bootedMachine(t)
    const foreign = await Promise.all([1, 2, 3, 4].map(() => machineKey()))
    for (const { recipient } of foreign) t.equal(await enrollAs(token, recipient), '202')
    const fetched = fetchBundle(server, at)
    const text = await waitUntil('the console', { limitSeconds: 30, everyMs: 50 }, async () => {
      const said = existsSync(at('console')) ? readFileSync(at('console'), 'utf8') : ''
      return said.includes('reject them') ? { value: said } : { not: said }
    })
    const own = fingerprintOf(
      (await run('age-keygen', ['-y', at('initrd/machine.key')], { limitSeconds: 5 })).stdout.trim(),
    )
    t.match(text, `This machine's key is ${own}`)
    for (const { recipient } of foreign) {
      const rejected = await server.post(
        '/v1/machines/ctl-1/reject',
        { fingerprint: fingerprintOf(recipient) },
        server.admin,
      )
      t.equal(rejected.status, 200)
    }
    t.equal((await untilPending(server)).fingerprint, own)
    t.equal((await server.post('/v1/machines/ctl-1/approve', { fingerprint: own }, server.admin)).status, 200)
    const { status, said } = await fetched
    t.equal(status, 0, said)
    t.equal(readFileSync(at('root/hello'), 'utf8'), 'hello\n')
  },
)

t.test(
  'asks for another token when its own was voided, before and after it showed a key',
  { skip },
  async t => {
    const { server, at, token, config } = await bootedMachine(t)
    for (let count = 0; count < 16; count += 1) await config()
    const fetched = fetchBundle(server, at)
    const { fingerprint } = await untilPending(server)
    writeFileSync(at('home/authorization'), `Authorization: Bearer ${token}\n`) // the one that was voided
    await waitUntil('another token', { limitSeconds: 30, everyMs: 50 }, async () => {
      const held = readFileSync(at('home/authorization'), 'utf8')
      return held.includes(token) ? { not: held } : { value: true }
    })
    t.equal((await server.post('/v1/machines/ctl-1/approve', { fingerprint }, server.admin)).status, 200)
    const { status, said } = await fetched
    t.equal(status, 0, said)
    t.match(said, /report "booted": the server answers 401: .*; asks again with another token/)
    t.match(said, /fetch the bundle: the server answers 401: .*; asks again with another token/)
  },
)

t.test('says why it gets no other token, and goes on asking', { skip }, async t => {
  const { server, at, config } = await bootedMachine(t)
  for (let count = 0; count < 16; count += 1) await config()
  writeFileSync(at('cmdline'), 'quiet\n')
  const functions = fetchBundle(server, at, 4)
  const { status, said } = await functions
  t.equal(status, 1, 'the unit starts it again')
  t.match(said, /401: .*; another token cannot be had: the kernel was started without ignition\.config\.url/)
})

t.test(
  'takes no token but one of its own machine, with the length of our tokens, from one config',
  { skip },
  async t => {
    const { server, at } = await bootedMachine(t)
    const ask = async (url: string) => {
      writeFileSync(at('cmdline'), `quiet ignition.config.url=${url}\n`)
      writeFileSync(at('home/authorization'), 'as it was\n')
      const { said, status } = await runAgent(server, at, 'new_token\necho "news: $token_news"')
      t.equal(status, 0, said)
      return { said, held: readFileSync(at('home/authorization'), 'utf8') }
    }
    let given = ''
    let asked = 0
    const strange = createServer((_request, response) => {
      asked += 1
      response.end(given)
    })
    await new Promise<void>(resolve => strange.listen(0, '127.0.0.1', resolve))
    t.teardown(() => strange.close())
    const url = `http://127.0.0.1:${(strange.address() as AddressInfo).port}/ignition`
    for (const length of [1, 42, 129]) {
      given = configOf('x'.repeat(length))
      const { said, held } = await ask(url)
      t.match(said, 'the config holds none for this machine', `${length} characters`)
      t.equal(held, 'as it was\n')
    }
    given = configOf('x'.repeat(43), 'MACHINE=cmp-1\n')
    const other = await ask(url)
    t.match(other.said, 'the config is one of cmp-1, not of ctl-1')
    t.equal(other.held, 'as it was\n')
    given = configOf('x'.repeat(43), 'ROLE=none\n')
    t.match((await ask(url)).said, 'the config is one of no machine, not of ctl-1')
    given = configOf('x'.repeat(43))
    asked = 0
    t.match((await ask(`${url}?mac=1&note=[1-9]`)).held, `Bearer ${'x'.repeat(43)}\n`)
    t.equal(asked, 1, 'brackets are not a pattern')
    t.notOk(existsSync(at('work/config')), 'what holds a token is removed')
  },
)

t.test('counts anew how long keys of others are in its way, once they were not', { skip }, async t => {
  const { server, at } = await bootedMachine(t)
  const { status, said } = await runAgent(
    server,
    at,
    `full='{"title":"KEY_REFUSED","detail":"4 other keys of this boot wait"}'
    ask() { status=$next; printf %s "$body" > $work/answer; }
    next=403 body=$full SECONDS=0; fetch_bundle || true
    next=202 body='{"message":"waits"}' SECONDS=3599; fetch_bundle || true
    next=403 body=$full SECONDS=7000; fetch_bundle || true
    echo "since $full_since"
    SECONDS=10700; fetch_bundle`,
  )
  t.match(said, /since 70\d\d\n[^]*failed: keys of others wait/, said)
  t.equal(status, 1)
})

t.test('asks a busy server again, whatever it says', { skip }, async t => {
  const { server, at } = await bootedMachine(t)
  writeFileSync(at('busy'), '429\n503\n408\n425\n429\n500\n')
  const fetched = fetchBundle(server, at)
  const { fingerprint } = await untilPending(server)
  writeFileSync(at('busy'), '429\n')
  t.equal((await server.post('/v1/machines/ctl-1/approve', { fingerprint }, server.admin)).status, 200)
  const { status, said } = await fetched
  t.equal(status, 0, said)
  t.match(said, 'the server answers 408')
})
