// Two servers on one address (finding 25): DHCP shares its port with others on purpose, but not with a second of us.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isSharedByWildcard, socketsOn } from '#server/protocols/dhcp/port-users.ts'
import { endChild } from '../end-child.ts'
import { testNetwork, whyNoNetworks } from '../network.ts'
import { childServer, type DidNotStart } from './child-server.ts'

t.setTimeout(120_000) // a busy machine takes its time

const skip = whyNoNetworks()

/** A network namespace with two addresses; gives the words that run a command in it. */
async function network(t: Test): Promise<readonly string[]> {
  const made = await testNetwork(t)
  await made.ip('address add 10.20.0.1/24 dev lo', 'address add 10.30.0.1/24 dev lo')
  return made.within
}

t.test(
  'a second server refuses the DHCP port of the first one, whatever its state',
  { skip, timeout: 120_000 },
  async t => {
    const folder = t.testdir()
    const within = await network(t)
    const at = (address: string, name: string, inside = within) =>
      childServer(t, {
        statePath: join(folder, name),
        within: inside,
        dhcp: true,
        flags: ['--address', address],
      })
    const first = await at('10.20.0.1', 'first')
    const failed = await at('10.20.0.1', 'second').then(
      () => t.fail('both serve') as never,
      (error: unknown) => error as DidNotStart, // it throws no other
    )
    t.match(
      failed.message,
      /Cannot serve DHCP on 10\.20\.0\.1, UDP port 67: process \d+ \(node main\.js serve .*\) has it/,
    )
    await t.resolves(at('10.30.0.1', 'third'), 'another address of the same host')
    await t.resolves(at('10.20.0.1', 'fourth', await network(t)), 'the same address in another network')
    await first.kill()
    await t.resolves(at('10.20.0.1', 'fifth'), 'a server that was killed holds nothing')
  },
)

t.test(
  'of a server on one address and a server on all addresses, the second refuses, in either order',
  { skip, timeout: 120_000 },
  async t => {
    const folder = t.testdir()
    for (const [at, addresses] of [
      ['10.20.0.1', '0.0.0.0'],
      ['0.0.0.0', '10.20.0.1'],
    ].entries()) {
      const within = await network(t)
      const serve = (name: string, address = '') =>
        childServer(t, {
          statePath: join(folder, `${name}-${at}`),
          within,
          dhcp: true,
          flags: ['--address', address],
        })
      const [one, two] = addresses
      await serve('one', one)
      const failed = await serve('two', two).then(
        () => t.fail(`${one} and ${two} both serve`) as never,
        (error: unknown) => error as DidNotStart, // it throws no other
      )
      t.match(
        failed.message,
        /UDP port 67: process \d+ \(.+\) has it\n {2}fix: stop that one, or: {2}pilotlight serve --no-dhcp/,
        addresses.join(' then '),
      )
    }
  },
)

t.test(
  'serves beside a virtual network’s dnsmasq, which has port 67 of the wildcard address',
  { skip },
  async t => {
    const within = await network(t)
    const script = `const socket = require('dgram').createSocket({ type: 'udp4', reuseAddr: true })
    socket.bind(67, '0.0.0.0', () => console.log('bound'))`
    const [nsenter, netns] = within
    const child = spawn(nsenter ?? '', [netns ?? '', process.execPath, '-e', script])
    t.teardown(() => endChild(child))
    await once(child.stdout, 'data')
    const flags = ['--address', '10.20.0.1']
    await t.resolves(childServer(t, { statePath: join(t.testdir(), 'state'), within, dhcp: true, flags }))
  },
)

const tableOf = (...places: readonly string[]) =>
  places.map((place, at) => `  ${at}: ${place} 00000000:0000 07 00000000:00000000 00:00000000`).join('\n')

t.test('knows a boot server on the wildcard address by both of its ports', async t => {
  const [all, dnsmasq, one] = [
    tableOf('00000000:0043', '00000000:0FAB', 'FFFFFFFF:0043'),
    tableOf('00000000:0043', 'FFFFFFFF:0043'),
    tableOf('0100140A:0043', '0100140A:0FAB', 'FFFFFFFF:0043', '00000000:0043'),
  ]
  t.ok(isSharedByWildcard(all, '10.20.0.1'))
  t.notOk(isSharedByWildcard(all, '0.0.0.0'), 'that is its own')
  t.notOk(isSharedByWildcard(dnsmasq, '10.20.0.1'))
  t.notOk(isSharedByWildcard(dnsmasq, '0.0.0.0'))
  t.ok(isSharedByWildcard(one, '0.0.0.0'))
  t.notOk(isSharedByWildcard(one, '10.30.0.1'), 'each has its own address')
  t.notOk(isSharedByWildcard('', '0.0.0.0'))
})

t.test('counts the sockets of one address and port', async t => {
  const table = [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops',
    '  100: 0100140A:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 11 2 0000000000000000 0',
    '  100: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12 2 0000000000000000 0',
    '  200: 0100140A:0FAB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 13 2 0000000000000000 0',
    '  200: 0100140A:0FAB 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 14 2 0000000000000000 0',
  ].join('\n')
  t.equal(socketsOn(table, '10.20.0.1', 67), 1)
  t.equal(socketsOn(table, '10.20.0.1', 4011), 2)
  t.equal(socketsOn(table, '10.20.0.2', 67), 0)
  t.equal(socketsOn('', '10.20.0.1', 67), 0)
})
