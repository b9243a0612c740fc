// What a look for DHCP servers means in each mode of a site.

import t from 'tap'
import { dhcpVerdicts, type DhcpFacts } from '#server/diagnosis/dhcp-verdict.ts'
import type { DhcpAnswer } from '#server/protocols/dhcp/other-servers.ts'

const OURS = '10.20.0.2'
const answer = (server: string, more: Partial<DhcpAnswer> = {}): DhcpAnswer => ({
  kind: 'offer',
  mac: '02:00:00:00:00:01',
  transaction: 1,
  server,
  address: '10.20.0.57',
  ...more,
})
const { address: _, ...proxy } = answer('10.20.0.8', { bootFile: 'x.efi', nextServer: '10.20.0.8' })
const namesUs = { bootFile: 'snponly.efi', nextServer: OURS }

const ROWS: readonly [
  title: string,
  mode: DhcpFacts['mode'],
  answers: readonly DhcpAnswer[],
  verdict: string,
  blocks: boolean,
  says: RegExp,
][] = [
  ['full, and no one else', 'full', [], 'ok', false, /no other DHCP server answers within 4\.2 s/],
  [
    'full, and another server',
    'full',
    [answer('10.20.0.9')],
    'failed',
    true,
    /10\.20\.0\.9, offers 10\.20\.0\.57.*dhcp: full/,
  ],
  [
    'full, and a proxy',
    'full',
    [proxy],
    'failed',
    true,
    /offers no address \(boot file x\.efi from 10\.20\.0\.8\)/,
  ],
  [
    'proxy, and the server that gives addresses',
    'proxy',
    [answer('10.20.0.9')],
    'ok',
    false,
    /10\.20\.0\.9, offers/,
  ],
  ['proxy, and no one', 'proxy', [], 'warning', false, /machines get no address/],
  [
    'proxy, and a server that gives none',
    'proxy',
    [proxy],
    'warning',
    false,
    /none of them gives an address/,
  ],
  [
    'proxy, and one that names its own boot file',
    'proxy',
    [answer('10.20.0.9', { bootFile: 'pxelinux.0', nextServer: '10.20.0.9' })],
    'warning',
    false,
    /names a boot file as well/,
  ],
  [
    'off, and a server that names us',
    'off',
    [answer('10.20.0.9', namesUs)],
    'ok',
    false,
    /boot file snponly\.efi from 10\.20\.0\.2/,
  ],
  [
    'off, and a server that does not',
    'off',
    [answer('10.20.0.9')],
    'failed',
    true,
    /must name 10\.20\.0\.2 as the boot server/,
  ],
  ['off, and no one', 'off', [], 'warning', false, /machines get no address/],
  [
    'no site yet, and another server',
    undefined,
    [answer('10.20.0.9')],
    'warning',
    false,
    /needs {2}dhcp: proxy/,
  ],
]

for (const [title, mode, answers, verdict, blocks, says] of ROWS)
  t.test(title, async t => {
    const look = { looked: true, seconds: 4.2, answers } as const
    const [found, ...others] = dhcpVerdicts(look, { address: OURS, mode, serves: false })
    t.match(found, { check: 'other dhcp', verdict, text: says })
    t.equal(found?.blocks ?? false, blocks)
    if (verdict !== 'ok') t.ok(found?.fix, 'it has a command')
    t.strictSame(others, [])
  })

t.test('a look that could not be made is not looked at, with the reason and a command', async t => {
  const look = { looked: false, why: 'the port is privileged', remedy: 'do this' } as const
  t.strictSame(dhcpVerdicts(look, { address: OURS, mode: 'full', serves: true }), [
    { check: 'other dhcp', verdict: 'unseen', text: 'the port is privileged', fix: 'do this' },
  ])
})

const seen = (answers: readonly DhcpAnswer[]) => ({ looked: true, seconds: 4.2, answers }) as const

t.test('our own DHCP must answer its own wire where it serves', async t => {
  const facts = { address: OURS, mode: 'full', serves: true } as const
  t.match(dhcpVerdicts(seen([]), facts)[1], { check: 'dhcp answer', verdict: 'failed', blocks: true })
  t.match(dhcpVerdicts(seen([answer(OURS)]), facts), [
    { verdict: 'ok' },
    { check: 'dhcp answer', verdict: 'ok', text: /10\.20\.0\.2 offers 10\.20\.0\.57/ },
  ])
})
