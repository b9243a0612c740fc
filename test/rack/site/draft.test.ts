import fc from 'fast-check'
import { test } from 'tap'
import { draftSite, layoutOf } from '#rack/site/draft.ts'
import { parseSite } from '#rack/site/read.ts'
import { OPTIONAL_SERVICES } from '#rack/site/site.ts'

const mac = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 5, maxLength: 5 })
  .map(bytes => [0x52, ...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(':'))

test('whatever is answered, the file says it: reading it back gives the answers', async t => {
  const answers = fc.record({
    name: fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/),
    subnet: fc.constantFrom('10.20.0.0/24', '192.168.0.0/16', '172.16.8.0/22'),
    dhcp: fc.constantFrom('full' as const, 'proxy' as const, 'off' as const),
    macs: fc.uniqueArray(mac, { minLength: 1, maxLength: 12 }),
    waves: fc.subarray([...OPTIONAL_SERVICES]),
    external: fc.constantFrom({}, { cidr: '198.51.100.0/24' }, { interface: 'eth1' }),
  })
  fc.assert(
    fc.property(answers, ({ macs: [first = '', ...computes], ...rest }) => {
      const given = { ...rest, controllers: [first], computes }
      const site = parseSite('site.yaml', draftSite(given))
      t.equal(site.name, given.name)
      t.equal(site.network.subnet, given.subnet)
      t.equal(site.network.dhcp, given.dhcp)
      t.same(
        site.machines.map(({ macs }) => macs[0]),
        [first, ...computes],
      )
      t.same(site.openstack.waves, given.waves)
      t.match(site.openstack.external, given.external)
    }),
    { numRuns: 100 },
  )
})

test('a rack without compute machines is all-in-one', async t => {
  const answers = { name: 'r', subnet: '10.0.0.0/24', dhcp: 'full', controllers: ['a'], waves: [] } as const
  t.equal(layoutOf({ ...answers, computes: [] }), 'all-in-one')
  t.equal(layoutOf({ ...answers, computes: ['b'] }), 'standard')
})

test('what is not a plain word is quoted, so that the complaint is about it and not about YAML', async t => {
  const text = draftSite({
    name: 'a: b # c',
    subnet: '10.20.0.0/24',
    dhcp: 'full',
    controllers: ['52:54:00:20:00:01'],
    computes: [],
    waves: [],
  })
  t.throws(() => parseSite('site.yaml', text), { message: /"a: b # c" cannot be a host name/ })
})
