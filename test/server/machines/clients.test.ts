import t from 'tap'
import type { Machine } from '#model/machine.ts'
import { Clients } from '#server/machines/clients.ts'
import { MachineIndex } from '#server/machines/identity.ts'

const machine = (n: number): Machine => ({
  name: `m-${n}`,
  macs: [mac(n)],
  role: 'compute',
  address: address(n),
  labels: {},
})
const mac = (n: number) => `52:54:00:20:00:0${n}`
const address = (n: number) => `10.20.0.1${n}`

/** m-1 and m-2 are declared, 3 is not; 1 and 3 have leases, and the address of 2 got a script. */
function clientsHere(): Clients {
  const leases = new Map([
    [address(1), { mac: mac(1) }],
    [address(3), { mac: mac(3) }],
    ['10.20.0.99', { mac: mac(1) }],
  ])
  const index = new MachineIndex([machine(1), machine(2)])
  const clients = new Clients(
    () => index,
    at => leases.get(at),
    () => 'full',
  )
  clients.booted('10.20.0.98', mac(2), new Map())
  return clients
}

const rows: readonly [string, [string, string?], string | undefined, string | undefined][] = [
  ['its lease', [address(1)], 'm-1', mac(1)],
  ['its lease at an address that is not kept for it', ['10.20.0.99'], 'm-1', mac(1)],
  ['the script that it fetched', ['10.20.0.98'], 'm-2', mac(2)],
  ['the address that is kept for it', [address(2)], 'm-2', undefined],
  ['the MAC that its request names, before its lease', [address(1), mac(2)], 'm-2', mac(2)],
  ['its address, where the MAC that it names is not declared', [address(1), mac(3)], 'm-1', mac(3)],
  ['its MAC alone, where it is not declared', [address(3)], undefined, mac(3)],
  ['nothing', ['10.20.0.97'], undefined, undefined],
]

for (const [by, asked, name, shown] of rows) {
  t.test(`a client is known by ${by}`, async t => {
    const { machine, mac } = clientsHere().whoIsAt(...asked)
    t.strictSame([machine?.name, mac], [name, shown])
  })
}
