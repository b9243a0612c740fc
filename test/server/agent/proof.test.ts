import t from 'tap'
import { objectionTo, type Evidence } from '#server/agent/proof.ts'
import type { Machine } from '#model/machine.ts'

const mac = '52:54:00:20:00:01'
const uuid = '5a0e7f00-0020-4000-8000-000000000001'
const turned = '007f0e5a-2000-0040-8000-000000000001' // the same bytes as SMBIOS keeps them
const machine: Machine = {
  name: 'ctl-1',
  macs: [mac],
  uuid,
  role: 'controller',
  address: '10.20.0.11',
  labels: {},
}
const byUuid: Machine = { ...machine, macs: [] }
const address = '10.20.0.11'
const full: Evidence = { dhcp: 'full', lease: { mac }, boot: { lease: address } }

t.test('takes a sender for the machine by its lease, never by what it says', async t => {
  const rows: [string, Machine, Record<string, string>, Evidence, RegExp | undefined][] = [
    ['its own', machine, { mac, uuid }, full, undefined],
    ['a UUID in the other order of bytes', machine, { mac, uuid: turned }, full, undefined],
    ['no words at all', machine, {}, full, undefined],
    [
      'a foreign MAC with its UUID',
      machine,
      { mac: '52:54:00:66:66:66', uuid },
      full,
      /MAC .* is not one of its own/,
    ],
    ['its MAC with a foreign UUID', machine, { mac, uuid: 'x' }, full, /UUID x is not its own/],
    ['no lease', machine, { mac }, { ...full, lease: undefined }, /has no lease/],
    ['a foreign lease', machine, { mac }, { ...full, lease: { mac: 'x' } }, /leased to x/],
    ['a lease that no firmware got', machine, { mac }, { ...full, boot: {} }, /no firmware of this boot/],
    ['no boot', machine, { mac }, { ...full, boot: undefined }, /no firmware of this boot/],
    ['by UUID, bound with it', byUuid, { uuid }, { ...full, lease: { mac: 'x', uuid: turned } }, undefined],
    ['by UUID, bound with none', byUuid, { uuid }, full, /leased to/],
    [
      'without DHCP, of the script',
      machine,
      { mac },
      { ...full, dhcp: 'off', boot: { scriptFrom: address } },
      undefined,
    ],
    ['in proxy mode', machine, { mac }, { ...full, dhcp: 'proxy' }, undefined],
    [
      'in proxy mode, elsewhere',
      { ...machine, address: '10.20.0.12' },
      { mac },
      { ...full, dhcp: 'proxy' },
      /here is 10/,
    ],
    [
      'without DHCP, of another',
      machine,
      { mac },
      { ...full, dhcp: 'off' },
      /script .* was not fetched from/,
    ],
  ]
  for (const [title, whose, labels, evidence, objection] of rows) {
    const found = objectionTo(whose, { address, labels }, evidence)
    if (objection === undefined) t.equal(found, undefined, title)
    else t.match(found, objection, title)
  }
})
