import t from 'tap'
import { MATCHBOX_FLAGS, withoutMatchboxFlags } from '#server/flags.ts'

t.test("Matchbox's flags become ours, in both of its spellings", async t => {
  const args = ['-address', '127.0.0.1:9090', '-data-path=/d', '-assets-path', '', '-web-ssl']
  t.same(withoutMatchboxFlags(args), [
    '--matchbox',
    '--address',
    '127.0.0.1:9090',
    '--data-path',
    '/d',
    '--assets-path',
    '',
    '--web-ssl',
  ])
})

t.test('our own are left as they are', async t => {
  const args = ['--address', '10.20.0.1', '-h', '--no-dhcp', '--data-path=/d', '-q', '--web-ssl']
  t.same(withoutMatchboxFlags(args), args)
})

// The environment of Matchbox 0.11, as its --help and source have it.
const VARIABLES = {
  MATCHBOX_ADDRESS: ['--address', '0.0.0.0:8080'],
  MATCHBOX_RPC_ADDRESS: ['--rpc-address', '0.0.0.0:8081'],
  MATCHBOX_DATA_PATH: ['--data-path', '/d'],
  MATCHBOX_ASSETS_PATH: ['--assets-path', '/a'],
  MATCHBOX_LOG_LEVEL: ['--log-level', 'debug'],
  MATCHBOX_CERT_FILE: ['--cert-file', '/c'],
  MATCHBOX_KEY_FILE: ['--key-file', '/k'],
  MATCHBOX_CA_FILE: ['--ca-file', '/ca'],
  MATCHBOX_KEY_RING_PATH: ['--key-ring-path', '/r'],
  MATCHBOX_WEB_SSL: ['--web-ssl', 'true'],
  MATCHBOX_WEB_CERT_FILE: ['--web-cert-file', '/wc'],
  MATCHBOX_WEB_KEY_FILE: ['--web-key-file', '/wk'],
  MATCHBOX_VERSION: ['--version', '1'],
  MATCHBOX_HELP: ['--help', 'T'],
} as const

for (const [variable, [flag, value]] of Object.entries(VARIABLES)) {
  t.test(`${variable} stands for ${flag}, where that is not given`, async t => {
    const isSwitch = MATCHBOX_FLAGS.find(it => it.variable === variable)?.isSwitch
    const ours = isSwitch ? [flag] : [flag, value]
    t.same(withoutMatchboxFlags([], { [variable]: value }), ['--matchbox', ...ours])
    t.same(withoutMatchboxFlags([], { [variable]: '' }), [], 'an empty one counts for nothing')
    const given = [`-${flag.slice(2)}`, ...(isSwitch ? [] : ['given'])]
    const kept = [flag, ...(isSwitch ? [] : ['given'])]
    t.same(
      withoutMatchboxFlags(given, { [variable]: value }),
      ['--matchbox', ...kept],
      'a flag goes before it',
    )
  })
}

t.test('all flags of Matchbox are known, and no others', async t => {
  t.same(
    MATCHBOX_FLAGS.map(({ variable }) => variable),
    Object.keys(VARIABLES),
  )
})

t.test('a switch may be off, and what is neither on nor off stays to be refused', async t => {
  t.same(withoutMatchboxFlags(['-web-ssl=false']), ['--matchbox'])
  t.same(withoutMatchboxFlags(['-web-ssl=maybe']), ['--matchbox', '-web-ssl=maybe'])
  t.same(withoutMatchboxFlags([], { MATCHBOX_WEB_SSL: '0' }), ['--matchbox'])
})
