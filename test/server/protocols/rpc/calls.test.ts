// Our gRPC held against Matchbox itself: the same calls, by Matchbox's own client, to both.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { testAuthority } from '../../access/authority.ts'
import { testServer } from '../../serving.ts'
import { publishedClient, type Answer, type Caller } from './client.ts'
import { matchboxServer } from './matchbox.ts'
import { skip } from './programs.ts'

const b64 = (text: string) => Buffer.from(text).toString('base64')

/** A server of each kind, each with an empty data directory, and a client certificate for both. */
async function bothServers(t: Test) {
  const directory = t.testdir()
  const authority = await testAuthority(join(directory, 'tls'))
  const server = await authority.issue('server')
  const { caFile } = authority
  const terraform = await authority.issue('terraform')
  const caller = (port: number): Caller => ({ endpoint: `127.0.0.1:${port}`, caFile, ...terraform })

  const ours = emptyData(join(directory, 'ours'))
  const settings = { certFile: server.certFile, keyFile: server.keyFile, caFile }
  const pilotlight = await testServer(t, {
    dataPath: ours,
    statePath: join(directory, 'state'),
    rpcAddress: '127.0.0.1:0',
    ...settings,
  })

  const theirs = emptyData(join(directory, 'theirs'))
  const { port } = await matchboxServer(t, theirs, { ...server, caFile })
  return {
    pilotlight,
    ours: { data: ours, call: publishedClient(t, caller(pilotlight.rpcPort)) },
    theirs: { data: theirs, call: publishedClient(t, caller(port)) },
  }
}

const group = {
  id: 'node-1',
  name: 'a node',
  profile: 'worker',
  selector: { mac: '52:54:00:A1:9C:AE', os: 'installed' },
  metadata: b64('{"z":[1,{"b":2,"a":"<&>"}],"n":1000000,"k":"v"}'),
}
const profile = {
  id: 'worker',
  name: 'w',
  ignitionId: 'worker.ign',
  genericId: 'worker',
  boot: { kernel: '/k', initrd: ['/i', '--name x /j'], args: ['a=b', 'c'] },
}

/** Calls in their order; what one puts, later ones find. */
const CALLS: readonly (readonly [string, object])[] = [
  ['Groups/GroupList', {}],
  ['Profiles/ProfileList', {}],
  ['Groups/GroupGet', { id: 'nope' }],
  ['Groups/GroupGet', {}],
  ['Groups/GroupDelete', { id: 'nope' }],
  ['Profiles/ProfileGet', { id: 'nope' }],
  ['Profiles/ProfileGet', { id: '../groups/nope' }],
  ['Profiles/ProfileDelete', { id: 'nope' }],
  ['Ignition/IgnitionGet', { name: 'nope.ign' }],
  ['Ignition/IgnitionDelete', { name: 'nope.ign' }],
  ['Generic/GenericGet', { name: 'nope' }],
  ['Generic/GenericDelete', { name: 'nope' }],
  ['Select/SelectGroup', { labels: { mac: '52:54:00:a1:9c:ae' } }],
  ['Select/SelectProfile', { labels: {} }],
  ['Groups/GroupPut', { group: {} }],
  ['Groups/GroupPut', { group: { id: 'x' } }],
  ['Groups/GroupPut', { group: { profile: 'x' } }],
  ['Groups/GroupPut', { group: { id: 'x', profile: 'x', metadata: b64('[1]') } }],
  ['Groups/GroupPut', { group: { id: 'x', profile: 'x', metadata: b64('true') } }],
  ['Profiles/ProfilePut', { profile: {} }],
  ['Profiles/ProfilePut', { profile: { name: 'x' } }],
  ['Groups/GroupPut', { group }],
  ['Groups/GroupGet', { id: 'node-1' }],
  ['Select/SelectGroup', { labels: { mac: '52:54:00:a1:9c:ae', os: 'installed', more: 'x' } }],
  ['Select/SelectProfile', { labels: { mac: '52:54:00:a1:9c:ae', os: 'installed' } }],
  ['Profiles/ProfilePut', { profile }],
  ['Profiles/ProfileGet', { id: 'worker' }],
  ['Select/SelectProfile', { labels: { mac: '52:54:00:a1:9c:ae', os: 'installed' } }],
  ['Select/SelectProfile', { labels: { mac: '52:54:00:A1:9C:AE', os: 'installed' } }],
  ['Profiles/ProfilePut', { profile: { id: 'empty', boot: {} } }],
  ['Profiles/ProfileGet', { id: 'empty' }],
  ['Profiles/ProfilePut', { profile: { ...profile, name: '', boot: { kernel: '/other' } } }],
  ['Profiles/ProfileGet', { id: 'worker' }],
  ['Groups/GroupPut', { group: { id: 'default', profile: 'empty', metadata: b64('null') } }],
  ['Groups/GroupPut', { group: { id: 'b', profile: 'empty', selector: { a: '' }, metadata: b64('{}') } }],
  ['Groups/GroupList', {}],
  ['Profiles/ProfileList', {}],
  ['Select/SelectGroup', { labels: { some: 'other' } }],
  ['Ignition/IgnitionPut', { name: 'worker.ign', config: b64('baz') }],
  ['Ignition/IgnitionGet', { name: 'worker.ign' }],
  ['Ignition/IgnitionPut', { name: 'bytes.yaml', config: Buffer.from([0, 255, 10, 254]).toString('base64') }],
  ['Ignition/IgnitionGet', { name: 'bytes.yaml' }],
  ['Ignition/IgnitionPut', { name: 'empty.ign' }],
  ['Ignition/IgnitionGet', { name: 'empty.ign' }],
  ['Generic/GenericPut', { name: 'worker', config: b64('{{.nothing') }],
  ['Generic/GenericGet', { name: 'worker' }],
  ['Ignition/IgnitionDelete', { name: 'worker.ign' }],
  ['Ignition/IgnitionGet', { name: 'worker.ign' }],
  ['Generic/GenericDelete', { name: 'worker' }],
  ['Generic/GenericGet', { name: 'worker' }],
  ['Profiles/ProfileDelete', { id: 'worker' }],
  ['Profiles/ProfileGet', { id: 'worker' }],
  ['Groups/GroupDelete', { id: 'node-1' }],
  ['Groups/GroupGet', { id: 'node-1' }],
  ['Groups/GroupList', {}],
]

t.test('every call is answered as Matchbox answers it', { skip }, async t => {
  const { pilotlight, ours, theirs } = await bothServers(t)
  // Matchbox has no folders before the first put, and calls that an error; a list is empty here.
  for (const folder of ['groups', 'profiles']) mkdirSync(join(theirs.data, folder))
  for (const [name, request] of CALLS) {
    const [mine, his] = [await ours.call(name, request), await theirs.call(name, request)]
    const rooted = { ...his, message: his.message.replaceAll(theirs.data, ours.data) }
    t.strictSame(mine, rooted, `${name} ${JSON.stringify(request).slice(0, 80)}`)
  }
  const audit = await pilotlight.get('/v1/audit?entity=group:node-1&limit=1', pilotlight.admin)
  t.match(await audit.json(), {
    items: [
      { action: 'group.delete', who: 'terraform', role: 'admin', by: 'certificate', from: '127.0.0.1' },
    ],
  })
})

t.test('what ends Matchbox is refused, and does no harm', { skip }, async t => {
  const { ours } = await bothServers(t)
  const refused = (answer: Answer) => t.match(answer, { code: 3, message: /send one/ })
  refused(await ours.call('Groups/GroupPut', {}))
  refused(await ours.call('Profiles/ProfilePut', {}))
  t.match(
    await ours.call('Groups/GroupPut', { group: { id: 'x', profile: 'y', selector: { mac: 'junk' } } }),
    {
      code: 3,
      message: /"junk" is not a MAC address/,
    },
  )
  t.match(await ours.call('Ignition/IgnitionPut', { name: '../profiles/x.json' }), { code: 3 })
  t.match(await ours.call('Ignition/IgnitionPut', {}), { code: 3 })
  const big = { name: 'x', config: Buffer.alloc(4 << 20, 'x').toString('base64') }
  t.match(await ours.call('Generic/GenericPut', big), { code: 8 }, 'more than 4 MiB')
  t.match(await ours.call('Groups/GroupList'), { code: 0 })
})

t.test(
  'a call is in REST and in the history at once, under the name of its certificate',
  { skip },
  async t => {
    const { pilotlight, ours } = await bothServers(t)
    await ours.call('Profiles/ProfilePut', { profile })
    const shown = (await (await pilotlight.get('/v1/profiles/worker')).json()) as object
    t.match(shown, { id: 'worker', boot: { kernel: '/k' } })
    const history = await (await pilotlight.get('/v1/profiles/worker/history')).json()
    t.match(history, { items: [{ who: 'terraform', action: 'put' }] })
    t.match(pilotlight.logged.join('\n'), /info rpc Profiles\/ProfilePut/)
    const metrics = await (await pilotlight.get('/metrics')).text()
    t.match(metrics, /pilotlight_rpc_calls_total\{method="Profiles\/ProfilePut",code="OK"\} 1/)
  },
)

function emptyData(path: string): string {
  mkdirSync(path, { recursive: true })
  return path
}
