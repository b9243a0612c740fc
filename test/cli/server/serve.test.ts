// `pilotlight serve` as Matchbox's users start it, and the verbs that show it a token.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { EXIT } from '#cli/exit.ts'
import { pilotlight } from '../pilotlight.ts'

const MAIN = join(import.meta.dirname, '../../../cli/main.js')

/** A server started from the command line; it ends with the test. */
async function serving(t: Test, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, 'serve', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stderr)
  for await (const line of lines) {
    const { text, url, adminPort } = JSON.parse(line) as { text: string; url?: string; adminPort?: number }
    if (text === 'serving' && url !== undefined) return { child, url, adminPort }
  }
  throw new Error('the server ended')
}

async function statusOf(child: ChildProcess): Promise<number | null> {
  const [status] = (await once(child, 'close', { signal: AbortSignal.timeout(30_000) })) as [number | null]
  return status
}

/** A Matchbox data directory. */
function dataPath(t: Test): string {
  const data = join(t.testdir(), 'data')
  for (const folder of ['groups', 'profiles', 'assets']) mkdirSync(join(data, folder), { recursive: true })
  writeFileSync(join(data, 'profiles', 'p.json'), '{"id":"p","boot":{"kernel":"/k"}}')
  writeFileSync(join(data, 'groups', 'g.json'), '{"id":"g","profile":"p"}')
  return data
}

t.test("Matchbox's environment starts a server, and SIGTERM ends it well", async t => {
  const data = dataPath(t)
  const { child, url } = await serving(t, ['--state-path', join(t.testdirName, 'state')], {
    MATCHBOX_ADDRESS: '127.0.0.1:0',
    MATCHBOX_DATA_PATH: data,
    MATCHBOX_ASSETS_PATH: join(data, 'assets'),
    MATCHBOX_LOG_LEVEL: 'debug',
  })
  t.match(await (await fetch(`${url}/ipxe`)).text(), '#!ipxe\nkernel /k\nboot\n')
  child.kill('SIGHUP')
  t.equal((await fetch(`${url}/readyz`)).status, 200, 'SIGHUP does not end it')
  child.kill('SIGTERM')
  t.equal(await statusOf(child), 0)
})

t.test('a state directory that cannot be made is named at once', async t => {
  const ports = ['--no-dhcp', '--no-tftp', '--http-port', '0', '--agent-port', '0']
  t.match(await pilotlight(['serve', ...ports, '--state-path', '/proc/x']), {
    status: EXIT.usage,
    err: /^error BAD_OPTION: state-path: directory \/proc\/x cannot be made: nothing can be made in \/proc/,
  })
})

t.test('what Matchbox refuses ends with its status', async t => {
  const bad = ['-address', '127.0.0.1:0', '-data-path', '/nowhere']
  t.match(await pilotlight(['serve', ...bad]), { status: 1, err: /data-path is "\/nowhere"/ })
  t.match(await pilotlight(['serve', '-rpc-adress', 'x']), { status: EXIT.usage })
  const data = dataPath(t)
  const rpc = [
    '-address',
    '127.0.0.1:0',
    '-data-path',
    data,
    '-assets-path',
    '',
    '-rpc-address',
    '127.0.0.1:0',
  ]
  t.match(await pilotlight(['serve', ...rpc, '--state-path', join(t.testdirName, 'state')]), {
    status: 1,
    err: /Provide a valid TLS server certificate with -cert-file/,
  })
  t.match(await pilotlight(['serve', '-version']), { status: 0, out: /^pilotlight \d/ })
  t.match(await pilotlight(['serve', '-help']), { status: 0, out: /--rpc-address/ })
  t.match(await pilotlight(['serve', 'words']), { status: EXIT.usage, err: /serve takes no "words"/ })
})

t.test('tokens are made, listed and revoked by who has one', async t => {
  const data = dataPath(t)
  const statePath = join(t.testdirName, 'state')
  const { url } = await serving(t, [
    '-address',
    '0.0.0.0:0',
    '-data-path',
    data,
    '-assets-path',
    '',
    '--state-path',
    statePath,
  ])
  const server = url.replace('0.0.0.0', '127.0.0.1')
  const at = ['--server', server]
  const refused = await pilotlight(['tokens', 'list', ...at])
  t.match(refused, { status: EXIT.refused, err: /takes a token/ })
  const known = { env: { PILOTLIGHT_STATE_PATH: statePath } } // a server on this host is shown the token beside it
  const made = await pilotlight(['tokens', 'create', 'ci', '--role', 'admin', '--days', '2', ...at], known)
  t.match(made, { status: 0, out: /^plt_\S+\n$/ })
  const token = { env: { PILOTLIGHT_TOKEN: made.out.trim() } }
  t.match((await pilotlight(['tokens', 'list', ...at], token)).out, /^bootstrap +admin .* never\nci +admin /m)
  t.equal((await pilotlight(['tokens', 'revoke', 'ci', ...at], token)).status, 0)
  t.match(await pilotlight(['tokens', 'list', ...at], token), { status: EXIT.refused })
  const file = { env: { PILOTLIGHT_TOKEN_FILE: join(statePath, 'admin.token') } }
  t.match((await pilotlight(['tokens', 'list', '--json', ...at], file)).out, /"name": "bootstrap"/)
})

t.test('an HTTPS server is trusted by the authority that is named, or by its own on this host', async t => {
  const data = dataPath(t)
  const statePath = join(t.testdirName, 'state')
  const where = ['-address', '127.0.0.1:0', '--admin-address', '127.0.0.1:0', '--state-path', statePath]
  const { adminPort } = await serving(t, [...where, '-data-path', data, '-assets-path', ''])
  const list = ['get', 'profiles', '--server', `https://127.0.0.1:${adminPort}`]
  t.match(await pilotlight(list), {
    status: EXIT.unreachable,
    err: /authority that is not known here\n {2}fix: export PILOTLIGHT_CA=\S+state\/ca\.crt\n/,
  })
  t.match(await pilotlight(list, { env: { PILOTLIGHT_CA: join(statePath, 'ca.crt') } }), {
    status: 0,
    out: /^p /m,
  })
  t.match(await pilotlight(list, { env: { PILOTLIGHT_STATE_PATH: statePath } }), { status: 0, out: /^p /m })
})

t.test('version says what runs, to people and programs', async t => {
  const { version } = JSON.parse(readFileSync(join(MAIN, '../../package.json'), 'utf8')) as {
    version: string
  }
  t.match((await pilotlight(['version'])).out, `pilotlight ${version} (linux/`)
  const said = JSON.parse((await pilotlight(['version', '--json'])).out) as object
  t.match(said, { version, node: process.versions.node })
})
