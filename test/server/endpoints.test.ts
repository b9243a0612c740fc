// A server on every address sends machines to the address that they reached.

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { networkInterfaces } from 'node:os'
import t from 'tap'
import { site, testServer } from './serving.ts'

t.test('no URL has the address 0.0.0.0', async t => {
  const server = await testServer(t, { address: '0.0.0.0' })
  await server.put('/v1/sites/rack-1', site)
  for (const path of ['/boot.ipxe', '/ipxe?mac=52-54-00-20-00-01', '/grub?mac=52-54-00-20-00-01'])
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      const { port } = new URL(server.url)
      const text = await (await fetch(`http://${host}:${port}${path}`)).text()
      t.match(text, `http://${host}:${port}/`, `${path} by ${host}`)
      t.notMatch(text, '//0.0.0.0')
    }
})

const others = Object.values(networkInterfaces()).flatMap(all => all ?? [])
const [other] = others.filter(({ family, internal }) => family === 'IPv4' && !internal)

t.test(
  'a machine is sent to the agents at the address that it reached, and trusts what answers there',
  async t => {
    const server = await testServer(t, { address: '0.0.0.0' })
    await server.put('/v1/sites/rack-1', site)
    const { port } = new URL(server.url)
    for (const host of ['127.0.0.1', ...(other === undefined ? [] : [other.address])]) {
      const config = await (await fetch(`http://${host}:${port}/ignition?mac=52-54-00-20-00-01`)).json()
      const at = `https://${host}:${new URL(server.agentUrl).port}`
      t.match(agentEnv(config), new RegExp(`^AGENT_URL=${at}$`, 'm'), `fetched from ${host}`)
      t.match(
        await statusOf(at, readFileSync(join(server.statePath, 'ca.crt'), 'utf8')),
        404,
        'its certificate names it',
      )
    }
  },
)

t.test('the certificate of agents is made again for an address that it lacks', async t => {
  const first = await testServer(t)
  const certificate = () => new X509Certificate(readFileSync(join(first.statePath, 'agent.crt')))
  t.equal(certificate().checkIP('127.0.0.1'), '127.0.0.1')
  await first.close()
  const { admin: _, ...again } = await testServer(t, { statePath: first.statePath, address: '0.0.0.0' })
  t.equal(certificate().checkIP('127.0.0.1'), '127.0.0.1')
  t.equal(certificate().checkIP('0.0.0.0'), undefined)
  if (other !== undefined) t.equal(certificate().checkIP(other.address), other.address)
  const before = certificate().fingerprint256
  await again.close()
  await testServer(t, { statePath: first.statePath, address: '0.0.0.0' })
  t.equal(certificate().fingerprint256, before, 'and kept while it has all')
})

/** The status of a GET over TLS that is checked with this authority. */
function statusOf(url: string, ca: string): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  request(url, { ca }, answer => {
    answer.resume()
    resolve(answer.statusCode)
  })
    .on('error', reject)
    .end()
  return promise
}

/** The settings of the agent in an Ignition config. */
function agentEnv(config: unknown): string {
  const { storage } = config as { storage: { files: { path: string; contents: { source: string } }[] } } // as Ignition has it
  const { contents } = storage.files.find(({ path }) => path === '/etc/pilotlight/agent.env') ?? {}
  return Buffer.from(contents?.source.replace(/^data:;base64,/, '') ?? '', 'base64').toString()
}
