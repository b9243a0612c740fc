// Writes into a store for ever and says what was acknowledged: the victim of store.test.ts.

import { writeSync } from 'node:fs'
import { SqliteStore } from '#server/store/sqlite/store.ts'

const store = new SqliteStore(process.argv[2] ?? '')
const boot = { id: 'b-0001', mac: '52:54:00:20:00:01', began: 1000 }
for (let number = 1; number < 100_000; number += 1) {
  const address = `10.20.${number >> 8}.${number & 255}`
  const lease = { address, mac: boot.mac, state: 'bound', expiresAt: number } as const
  await store.leases.commit([{ kind: 'put', lease }])
  writeSync(1, `lease ${address}\n`)
  const of = {
    at: 1000,
    boot: boot.id,
    mac: boot.mac,
    layer: 'dhcp',
    kind: 'ack',
    text: '',
    detail: {},
  } as const
  writeSync(1, `event ${await store.events.append(boot, of)}\n`)
}
