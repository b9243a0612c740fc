// A machine's disk as the API takes it: what is refused, with a pointer to each fault.

import t from 'tap'
import { checkObject } from '#server/inventory/object-check.ts'

const MACHINE = { name: 'a', macs: ['52:54:00:00:00:01'], role: 'compute', address: '10.20.0.11', labels: {} }
const CHOICE = { match: {}, explicit: true, mirror: false, encrypt: 'no', overwrite: false }
const faultsOf = (disk: unknown) => checkObject('machine', { ...MACHINE, disk }).faults

t.test('takes none, and a choice with all of its fields', async t => {
  for (const disk of ['none', CHOICE, { ...CHOICE, match: { type: 'hdd' }, mirror: true, overwrite: true }])
    t.strictSame(faultsOf(disk), [], JSON.stringify(disk))
})

t.test('refuses everything else, at its place', async t => {
  const rows: [unknown, string][] = [
    ['sda', '/disk'],
    [[], '/disk'],
    [{ ...CHOICE, colour: 'red' }, '/disk/colour'],
    [{ ...CHOICE, encrypt: 'luks' }, '/disk/encrypt'],
    [{ ...CHOICE, mirror: 'true' }, '/disk/mirror'],
    [{ ...CHOICE, match: { serial: 'a"; reboot; "' } }, '/disk/match/serial'],
    [{ ...CHOICE, match: { byId: '../../sda' } }, '/disk/match/byId'],
    [{ ...CHOICE, match: { byId: 'ata-X-part2' } }, '/disk/match/byId'],
    [{ ...CHOICE, match: { model: '*' } }, '/disk/match/model'],
    [{ ...CHOICE, match: { minSize: 2 ** 34 - 1 } }, '/disk/match/minSize'],
    [{ ...CHOICE, match: { minSize: 1e15 + 1 } }, '/disk/match/minSize'],
    [{ ...CHOICE, match: { minSize: '100GB' } }, '/disk/match/minSize'],
    [{ ...CHOICE, match: { byId: 'a', type: 'nvme' } }, '/disk/match'],
    [{ ...CHOICE, match: { serial: 'a' }, mirror: true }, '/disk/mirror'],
    [{ ...CHOICE, overwrite: true }, '/disk/overwrite'],
  ]
  for (const [disk, pointer] of rows) t.match(faultsOf(disk), [{ pointer }], JSON.stringify(disk))
  for (const field of Object.keys(CHOICE))
    t.match(faultsOf({ ...CHOICE, [field]: undefined }), [{ pointer: `/disk/${field}` }], `without ${field}`)
})
