import fc from 'fast-check'
import t from 'tap'
import { contains, formatIpv4, networkAround, parseIpv4, parseSubnet, reservedRange } from '#model/ipv4.ts'

t.test('an address is four decimal bytes, and nothing else', async t => {
  t.equal(parseIpv4('10.20.0.1'), 0x0a140001)
  t.equal(parseIpv4('255.255.255.255'), 2 ** 32 - 1)
  t.equal(parseIpv4('0.0.0.0'), 0)
  const wrong = [
    '',
    '.',
    '1.2.3',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '1.2.3.0004',
    '1.2.3.04', // eight bits to some, octal to others
    '00.1.2.3',
    '1.2.3.4 ',
    '1.2.3.-4',
    '::1',
  ]
  for (const text of wrong) t.equal(parseIpv4(text), undefined, JSON.stringify(text))
})

t.test('any text is read as a pattern would read it', async () => {
  const noise = fc.string({
    unit: fc.constantFrom('.', '0', '1', '2', '5', '9', ' ', '-', 'a'),
    maxLength: 16,
  })
  const near = fc
    .array(fc.integer({ min: 0, max: 300 }), { minLength: 3, maxLength: 5 })
    .map(bytes => bytes.join('.'))
  fc.assert(
    fc.property(fc.oneof(noise, near), text => {
      const bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number)
      const isOne = bytes !== undefined && bytes.every(byte => byte <= 255)
      return parseIpv4(text) === (isOne ? bytes.reduce((sum, byte) => sum * 256 + byte, 0) : undefined)
    }),
    { numRuns: 2000 },
  )
})

t.test('what is formatted is read again', async () => {
  fc.assert(fc.property(fc.nat(2 ** 32 - 1), number => parseIpv4(formatIpv4(number)) === number))
})

t.test('a subnet has no host bits, and a network is around any of its addresses', async t => {
  t.strictSame(parseSubnet('10.20.0.0/24'), { first: 0x0a140000, last: 0x0a1400ff, bits: 24 })
  for (const text of ['10.20.0.7/24', '10.0.0.0/7', '10.20.0.0/31', '10.20.0.0', '10.20.0.0/', '/24'])
    t.equal(parseSubnet(text), undefined, text)
  t.strictSame(networkAround('10.20.0.7/24'), parseSubnet('10.20.0.0/24'))
  t.ok(contains('10.20.0.0/22', '10.20.3.255'))
  t.notOk(contains('10.20.0.0/22', '10.20.4.0'))
})

t.test('a reserved range is named, at both of its ends', async t => {
  for (const [address, range] of [
    ['0.0.0.1', '0.0.0.0/8'],
    ['127.255.255.255', '127.0.0.0/8'],
    ['169.254.0.0', '169.254.0.0/16'],
    ['224.0.0.0', '224.0.0.0/4'],
    ['239.255.255.255', '224.0.0.0/4'],
    ['255.255.255.255', '240.0.0.0/4'],
  ] as const)
    t.match(reservedRange(parseIpv4(address) ?? 0), range)
  for (const address of ['1.0.0.0', '126.255.255.255', '128.0.0.0', '169.253.255.255', '223.255.255.255'])
    t.equal(reservedRange(parseIpv4(address) ?? 0), undefined)
  t.match(reservedRange(networkAround('168.0.0.0/7')!), '169.254.0.0/16') // it is a network
})
