import t from 'tap'
import { startText, type StartFacts } from '#server/process/start-text.ts'

const FACTS: StartFacts = {
  url: 'http://10.20.0.1:8080',
  adminUrl: undefined,
  caPath: '/var/lib/pilotlight/ca.crt',
  tokenPath: '/var/lib/pilotlight/admin.token',
  address: '10.20.0.1',
  dhcp: true,
  assetsPath: '/srv/assets',
  networks: [],
}
const network = (subnet: string, dhcp: 'full' | 'proxy' | 'off') => ({
  subnet,
  gateway: '10.20.0.1',
  dhcp,
  pool: { first: '10.20.0.100', last: '10.20.0.200' },
  dns: [],
})

t.test('a new server shows its page, its token, what DHCP waits for, and the next step', async t => {
  t.equal(
    startText(FACTS),
    [
      '  page   http://10.20.0.1:8080/',
      '  token  export PILOTLIGHT_TOKEN_FILE=/var/lib/pilotlight/admin.token',
      '  DHCP   silent until a site file is applied',
      '  next   in another shell:  pilotlight init site.yaml  and  pilotlight up site.yaml --server http://10.20.0.1:8080',
      '  stop   Ctrl-C',
    ].join('\n'),
  )
})

t.test('the line of DHCP says how it is: off, silent with its reason, or answering', async t => {
  t.match(dhcp({ dhcp: false }), /^off: /)
  t.match(
    dhcp({ dhcp: false, networks: [network('10.20.0.0/24', 'full')] }),
    /^off, and the site .* without --no-dhcp$/,
  )
  t.match(dhcp({ address: '0.0.0.0' }), /^silent: .*--address/)
  for (const networks of [[], [network('10.20.0.0/24', 'full')]])
    t.match(
      dhcp({ address: '127.0.0.1', networks }),
      /^reaches no machine: 127\.0\.0\.1 is this host alone; .*--address/,
    )
  t.match(
    dhcp({ address: '10.9.0.1', networks: [network('10.20.0.0/24', 'full')] }),
    /^silent: 10\.9\.0\.1 is not in the network of a site \(10\.20\.0\.0\/24\); start with --address/,
  )
  t.equal(
    dhcp({ networks: [network('10.20.0.0/24', 'off')] }),
    'silent in 10.20.0.0/24: its site file says dhcp: off',
  )
  t.equal(dhcp({ networks: [network('10.20.0.0/24', 'proxy')] }), 'answers in 10.20.0.0/24 (proxy)')
})

t.test('the page is where administration is, and a path is one word of a shell', async t => {
  const text = startText({
    ...FACTS,
    adminUrl: 'https://10.20.0.1:8444',
    tokenPath: "/it's here/admin.token",
    networks: [network('10.20.0.0/24', 'full')],
  })
  t.match(text, /page +https:\/\/10\.20\.0\.1:8444\/\n/)
  t.match(text, /trust +export PILOTLIGHT_CA=\/var\/lib\/pilotlight\/ca\.crt\n/)
  t.notMatch(startText(FACTS), /trust/, 'plain HTTP needs none')
  t.match(text, `PILOTLIGHT_TOKEN_FILE='/it'\\''s here/admin.token'`)
  t.match(text, /next +pilotlight get machines --server https:\/\/10\.20\.0\.1:8444\n/)
})

/** The line of DHCP. */
function dhcp(more: Partial<StartFacts>): string | undefined {
  return / DHCP +(.*)/.exec(startText({ ...FACTS, ...more }))?.[1]
}

t.test('a server without assets says so', async t => {
  const text = startText({ ...FACTS, assetsPath: undefined })
  t.match(text, /\n {2}assets none: .* answered 404; start with --assets-path DIRECTORY\n/)
  t.notMatch(startText(FACTS), /assets none/)
})
