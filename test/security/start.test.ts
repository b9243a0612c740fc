// Requests that arrive while a server starts: HTTP is open before DHCP, and what only DHCP can prove is not taken on trust.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { waitUntil } from '#progress/wait.ts'
import { testNetwork, whyNoNetworks } from '../network.ts'
import { childServer } from './child-server.ts'
import { CTL_1, HTTP, SERVER, siteOf, tokenIn } from './segment.ts'

t.setTimeout(120_000) // a busy machine takes its time
const skip = whyNoNetworks('curl')

t.test('gives no token to a request that arrives before DHCP is open', { skip }, async t => {
  const dataPath = t.testdir({
    profiles: { 'node.json': '{"id":"node","ignition_id":"a.ign.njk","boot":{"kernel":"/k"}}' },
    ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
  })
  const network = await testNetwork(t)
  await network.ip(
    'link add br0 type bridge',
    `address add ${SERVER}/24 dev br0`,
    'address add 10.20.0.77/24 dev br0',
    'link set br0 up',
  )
  const statePath = join(dataPath, 'state')
  const settings = {
    statePath,
    within: network.within,
    dhcp: true,
    flags: ['--address', SERVER, '--data-path', dataPath, '--http-port', '8080'],
  }
  const curl = async (...args: string[]) => (await network.run('curl', ['--silent', ...args])).stdout
  const before = await childServer(t, settings)
  const token = readFileSync(join(statePath, 'admin.token'), 'utf8').trim()
  const body = ['--header', 'Content-Type: application/json', '--data', JSON.stringify(siteOf())]
  const put = ['--request', 'PUT', '--header', `Authorization: Bearer ${token}`, ...body]
  t.match(await curl(...put, `${HTTP}/v1/sites/rack-1`), /true/)
  await before.kill()

  const preload = `--import=${join(import.meta.dirname, 'slow-bind.mjs')}`
  let isServing = false
  const starts = childServer(t, {
    ...settings,
    env: { NODE_OPTIONS: preload, SLOW_BIND_MS: '5000' },
  }).then(() => (isServing = true))
  const stranger = ['--interface', '10.20.0.77', '--max-time', '5']
  const query = `mac=${CTL_1.macs[0]}&uuid=${CTL_1.uuid}`
  await waitUntil('HTTP is open', { limitSeconds: 60, everyMs: 50 }, async () => {
    const script = await curl(...stranger, `${HTTP}/ipxe?${query}`).catch(() => '')
    return script === '' ? { not: 'closed' } : { value: script }
  })
  const text = await curl(...stranger, '--write-out', '%{http_code}', `${HTTP}/ignition?${query}`)
  t.equal(isServing, false, 'DHCP is not open yet')
  t.match(text, /is starting.*503$/s, 'so Ignition asks again')
  t.notMatch(text, /"token":"[^"]/)
  await starts
  t.equal(tokenIn({ status: 200, text: await curl(...stranger, `${HTTP}/ignition?${query}`) }), '')
})
