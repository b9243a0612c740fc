import t from 'tap'
import fc from 'fast-check'
import { normaliseMac } from '#model/mac.ts'

t.test('every spelling of one address gives the same text', async t => {
  for (const text of ['52:54:00:C7:1e:90', '52-54-00-c7-1E-90', '5254.00c7.1e90', '525400C71E90']) {
    t.equal(normaliseMac(text), '52:54:00:c7:1e:90', text)
  }
})

t.test('EUI-64 and InfiniBand addresses are taken', async t => {
  t.equal(normaliseMac('02-00-5E-ff-fe-10-0a-0b'), '02:00:5e:ff:fe:10:0a:0b')
  t.equal(normaliseMac('80'.repeat(20))?.length, 59)
})

t.test('a text that is not an address is refused', async t => {
  const wrong = ['', 'mac', '52:54-00:c7:1e:90', '52:54:00:c7:1e', '2:54:0:c7:1e:90', '52:54:00:c7:1e:9g']
  for (const text of [
    ...wrong,
    '00-11-22-33-44-55-66',
    '525400c71e9',
    ' 52:54:00:c7:1e:90',
    '5254.00c7.1e',
  ]) {
    t.equal(normaliseMac(text), undefined, JSON.stringify(text))
  }
})

t.test('any bytes survive any spelling', async () => {
  const bytes = fc.constantFrom(6, 8, 20).chain(size => fc.uint8Array({ minLength: size, maxLength: size }))
  const spelling = fc.constantFrom(':', '-', '')
  fc.assert(
    fc.property(bytes, spelling, fc.boolean(), (address, separator, upper) => {
      const pairs = [...address].map(byte => byte.toString(16).padStart(2, '0'))
      const text = pairs.join(separator)
      return normaliseMac(upper ? text.toUpperCase() : text) === pairs.join(':')
    }),
  )
})
