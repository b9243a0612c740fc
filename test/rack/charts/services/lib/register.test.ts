// The script that makes a service known to Keystone, against a directory that answers as Keystone's does.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { libraryFolder } from '#rack/charts/sources/ours.ts'

const script = join(libraryFolder, 'files/register.py')
const skip = spawnSync('python3', ['--version']).status === 0 ? false : 'there is no python3 here'

type Thing = Record<string, unknown> & { id: string }

/** As much of Keystone as registering needs: collections with filters, passwords, roles. */
class Directory {
  readonly things: Record<string, Thing[]> = {
    projects: [],
    users: [],
    roles: [],
    services: [],
    endpoints: [],
  }
  readonly writes: string[] = []
  /** Requests that are still answered with 503. */
  away = 0
  readonly #server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      const url = new URL(request.url ?? '/', 'http://directory')
      const [status, body, headers] =
        this.away-- > 0
          ? [503, {}]
          : this.#answer(request.method ?? '', url, text === '' ? {} : (JSON.parse(text) as object))
      response.writeHead(status, { 'content-type': 'application/json', ...headers })
      response.end(status === 204 ? undefined : JSON.stringify(body))
    })
  })

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v3`
  }

  close(): void {
    this.#server.close()
  }

  #answer(method: string, url: URL, body: object): [number, object, Record<string, string>?] {
    const [kinds = '', id] = url.pathname.split('/').slice(2)
    if (kinds === 'auth') return this.#token(body as TokenRequest)
    if (method === 'PUT') {
      this.writes.push(`PUT ${url.pathname}`)
      return [204, {}]
    }
    const kind = kinds.slice(0, -1)
    const things = (this.things[kinds] ??= [])
    if (method === 'GET') {
      const wanted = [...url.searchParams]
      return [200, { [kinds]: things.filter(it => wanted.every(([key, value]) => it[key] === value)) }]
    }
    const fields = (body as Record<string, object>)[kind] ?? {}
    this.writes.push(`${method} ${kind} ${Object.keys(fields).toSorted().join(',')}`)
    if (method === 'PATCH')
      return [200, { [kind]: Object.assign(things.find(it => it.id === id) ?? {}, fields) }]
    const made = { id: `${kind}-${things.length + 1}`, ...fields }
    things.push(made)
    return [201, { [kind]: made }]
  }

  #token({ auth }: TokenRequest): [number, object, Record<string, string>?] {
    const { name, password } = auth.identity.password.user
    const known = this.things.users?.find(user => user.name === name)?.password
    if (password !== (name === 'admin' ? 'secret' : known)) return [401, {}]
    return [201, { token: {} }, { 'x-subject-token': `token of ${name}` }]
  }
}

type TokenRequest = {
  auth: { identity: { password: { user: { name: string; password: string } } } }
}

const urls = { public: 'http://out:1/v2', internal: 'http://in:1/v2', admin: 'http://in:1/v2' }

/** Runs the script to its end; gives its status and what it said. */
async function register(keystone: string, over: Record<string, string> = {}) {
  const env = {
    KEYSTONE_URL: keystone,
    ADMIN_USER: 'admin',
    ADMIN_PASSWORD: 'secret',
    ADMIN_PROJECT: 'admin',
    SERVICE_USER: 'image-user',
    SERVICE_PASSWORD: 'generated',
    REGION: 'RegionOne',
    CATALOG: JSON.stringify([{ type: 'image', name: 'pictures', urls }]),
    ...over,
  }
  const child = spawn('python3', [script], { env, stdio: ['ignore', 'inherit', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [status] = (await once(child, 'close', { signal: AbortSignal.timeout(20_000) })) as [number]
  return { status, said }
}

t.test('makes the account, its roles, the service and its three endpoints', { skip }, async t => {
  const directory = new Directory()
  t.teardown(() => directory.close())
  const { status } = await register(await directory.listen())
  t.equal(status, 0)
  t.match(directory.things.users, [{ name: 'image-user', domain_id: 'default' }])
  t.match(directory.things.services, [{ type: 'image', name: 'pictures' }])
  t.strictSame(
    directory.things.endpoints?.map(({ interface: face, url, region_id: region }) => [face, url, region]),
    Object.entries(urls).map(([face, url]) => [face, url, 'RegionOne']),
  )
  t.equal(directory.writes.filter(write => write.startsWith('PUT ')).length, 2, 'the roles admin and service')
})

t.test('changes nothing the second time, the password neither', { skip }, async t => {
  const directory = new Directory()
  t.teardown(() => directory.close())
  const keystone = await directory.listen()
  await register(keystone)
  directory.writes.length = 0
  t.equal((await register(keystone)).status, 0)
  t.match(directory.writes, [/^PUT .*roles/, /^PUT .*roles/], 'an assignment that is there is put again')
  t.equal(directory.writes.length, 2)
})

t.test('changes just what differs', { skip }, async t => {
  const directory = new Directory()
  t.teardown(() => directory.close())
  const keystone = await directory.listen()
  await register(keystone)
  directory.writes.length = 0
  const moved = [{ type: 'image', name: 'pictures', urls: { ...urls, public: 'http://elsewhere:1/v2' } }]
  await register(keystone, { CATALOG: JSON.stringify(moved), SERVICE_PASSWORD: 'rotated' })
  t.match(directory.writes.toSorted(), ['PATCH endpoint url', 'PATCH user password', /^PUT /, /^PUT /])
  t.match(directory.things.endpoints, [{ url: 'http://elsewhere:1/v2' }])
})

t.test('makes a domain with its administrator for a service that needs one', { skip }, async t => {
  const directory = new Directory()
  t.teardown(() => directory.close())
  const domain = { name: 'heat', admin: 'heat_domain_admin', roles: ['heat_stack_user'] }
  const more = { DOMAIN: JSON.stringify(domain), DOMAIN_PASSWORD: 'of the domain' }
  t.equal((await register(await directory.listen(), more)).status, 0)
  t.match(directory.things.domains, [{ name: 'heat' }])
  t.match(directory.things.users?.[1], { name: 'heat_domain_admin', domain_id: 'domain-1' })
  t.ok(directory.things.roles?.some(({ name }) => name === 'heat_stack_user'))
})

t.test('waits for a Keystone that stops in between, and says so', { skip }, async t => {
  const directory = new Directory()
  t.teardown(() => directory.close())
  directory.away = 3
  const { status, said } = await register(await directory.listen())
  t.equal(status, 0)
  t.match(said, /waiting for Keystone: .*503/)
})

t.test('prints no password', { skip }, async t => {
  const directory = new Directory()
  t.teardown(() => directory.close())
  const { said } = await register(await directory.listen())
  t.notMatch(said, /generated|secret/)
})
