// The agent makes the keys of its machine's certificates itself, and sends requests to sign: run as it is, by bash.

import { createPrivateKey, createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { keyOfRequest } from '#host/x509.ts'
import { absent } from '../absent.ts'

const agent = readFileSync(join(import.meta.dirname, '../../ignition/scripts/agent'), 'utf8')
const functionNamed = (name: string) =>
  new RegExp(`^${name}\\(\\) \\{\\n[^]*?^\\}\\n`, 'm').exec(agent)?.[0] ?? ''
const skip = await run('jq', ['--version'], { limitSeconds: 5 }).then(
  () => false as const,
  () => 'jq is not installed',
)

/** Makes the requests in a folder; gives them by name, and where the key of each is. */
async function makeRequests(folder: string, names: readonly string[]) {
  const work = join(folder, 'work')
  mkdirSync(work, { recursive: true })
  const requests = names.map(name => ({ name, key: join(folder, 'etc', name, 'tls.key') }))
  writeFileSync(join(work, 'enrolled'), JSON.stringify({ challenge: 'x', requests }))
  const script = `set -Eeuo pipefail; umask 077; reason=''; work=${work}
${functionNamed('make_requests')}${functionNamed('make_request')}
make_requests || { echo "$reason"; exit 1; }`
  await run('bash', ['-c', script], { limitSeconds: 30 })
  const csrs = JSON.parse(readFileSync(join(work, 'csrs'), 'utf8')) as Record<string, string>
  return { csrs, requests }
}

t.test(
  'each certificate gets a key at its path, for root alone, and a request that proves it',
  { skip },
  async t => {
    const folder = t.testdir()
    const names = Array.from({ length: 11 }, (_, at) => `certificate-${at}`)
    const { csrs, requests } = await makeRequests(folder, names)
    t.strictSame(Object.keys(csrs).toSorted(), names.toSorted())
    for (const { name, key } of requests) {
      t.equal(statSync(key).mode & 0o777, 0o600)
      const own = createPublicKey(createPrivateKey(readFileSync(key, 'utf8')))
      t.ok((await keyOfRequest(csrs[name] ?? '')).equals(own), name)
    }
    t.notMatch(JSON.stringify(csrs), 'PRIVATE KEY', 'no key leaves the machine')
  },
)

t.test('a key that is there stays, and one that was cut short is made anew', { skip }, async t => {
  const folder = t.testdir()
  const { requests } = await makeRequests(folder, ['good', 'broken'])
  const [good = '', broken = ''] = requests.map(({ key }) => key)
  const before = readFileSync(good, 'utf8')
  writeFileSync(broken, '-----BEGIN PRIVATE KEY-----\nMIGH')
  const { csrs } = await makeRequests(folder, ['good', 'broken'])
  t.equal(readFileSync(good, 'utf8'), before)
  const own = createPublicKey(createPrivateKey(readFileSync(broken, 'utf8')))
  t.ok((await keyOfRequest(csrs['broken'] ?? '')).equals(own))
})

t.test('a bundle without certificates asks for none', { skip }, async t => {
  t.strictSame((await makeRequests(t.testdir(), [])).csrs, {})
})

t.test('an answer of the server is taken up to 8 MB', { skip: skip || absent('curl') }, async t => {
  const folder = t.testdir({ authorization: 'Authorization: Bearer x\n' })
  let bytes = 7_000_000
  const server = createServer((_request, response) => {
    response.end(Buffer.alloc(bytes, 'x'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const script = `set -uo pipefail; home=${folder} work=${folder} authority=/dev/null
AGENT_URL=http://127.0.0.1:${(server.address() as AddressInfo).port}
${functionNamed('ask')}
ask bundle && echo "status $status" || echo "$reason"`
  const ask = async () => (await run('bash', ['-c', script], { limitSeconds: 30 })).stdout
  t.equal(await ask(), 'status 200\n')
  t.equal(statSync(join(folder, 'answer')).size, bytes)
  rmSync(join(folder, 'answer'))
  bytes = 9_000_000
  t.match(await ask(), /Maximum file size exceeded/)
  t.notOk(existsSync(join(folder, 'answer')))
})
