// Two servers on one address (finding 25): DHCP shares its port with others on purpose, but not with a second of us.

import { join } from 'node:path'
import t, { type Test } from 'tap'
import { socketsOn } from '#server/dhcp/port-users.ts'
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
      /Cannot serve DHCP on 10\.20\.0\.1, UDP port 67: another DHCP server has it, which 'ss -ulpn' shows\. Stop/,
    )
    await t.resolves(at('10.30.0.1', 'third'), 'another address of the same host')
    await t.resolves(at('10.20.0.1', 'fourth', await network(t)), 'the same address in another network')
    await first.kill()
    await t.resolves(at('10.20.0.1', 'fifth'), 'a server that was killed holds nothing')
  },
)

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
