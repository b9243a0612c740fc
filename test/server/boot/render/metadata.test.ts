import t from 'tap'
import { metadataText } from '#server/boot/render/metadata.ts'

t.test('metadata, selector and query become an environment file', async t => {
  const metadata = {
    a: 'x y',
    'k-1': true,
    nested: { b: 1.5, c: {} },
    none: null,
    request: 'hidden',
    os: 'hidden',
  }
  t.equal(
    metadataText(
      { metadata, selector: { OS: 'installed' } },
      { mac: '52:54:00:20:00:01' },
      'mac=525400200001',
    ),
    'A=x y\nK-1=true\nNESTED_B=1.5\nOS=installed\nREQUEST_QUERY_MAC=52:54:00:20:00:01\nREQUEST_RAW_QUERY=mac=525400200001\n',
  )
  t.equal(metadataText({}, {}, ''), 'REQUEST_RAW_QUERY=\n')
})

t.test('no value can begin another line', async t => {
  const text = metadataText({ metadata: { a: 'x\nPATH=/evil' } }, { q: '1\r\nB=2' }, '')
  t.equal(text, 'A=x PATH=/evil\nREQUEST_QUERY_Q=1 B=2\nREQUEST_RAW_QUERY=\n')
})

t.test('numbers read as numbers', async t => {
  const metadata = { n: [1_000_000, 2 ** 53, 1234567.5, 0.00001, -0, 12.25] }
  const lines = metadataText({ metadata }, {}, '').split('\n').slice(0, 6)
  const values = ['1000000', '9007199254740992', '1.2345675e+06', '1e-05', '-0', '12.25']
  t.same(
    lines,
    values.map((value, at) => `N_${at}=${value}`),
  )
})

t.test('letters are raised one by one', async t => {
  t.match(metadataText({ metadata: { straße: 1, é: 2 } }, {}, ''), /STRAßE=1\nÉ=2/)
  // Go's simple mapping has one capital for a letter with the iota below, and none for ᾶ.
  const greek = { ᾳ: 1, ᾀ: 2, ᾧ: 3, ῃ: 4, ῳ: 5, ᾶ: 6, ᾼ: 7 }
  const large = metadataText({ metadata: greek }, {}, '').match(/^.(?==)/gm)
  t.strictSame(large?.join(''), 'ᾈᾯᾶᾼᾼῌῼ')
})
