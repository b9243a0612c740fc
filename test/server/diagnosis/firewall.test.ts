// What a host's firewall does with packets of machines, from what nft 1.0.6 printed: of our rules, of iptables-nft with the chains
// that ufw makes, and of rules that depend on more than is known.

import t from 'tap'
import { fateOf, type Arriving } from '#server/diagnosis/firewall.ts'
import { openingOf } from '#server/diagnosis/network.ts'

const DHCP: Arriving = { protocol: 'udp', port: 67, from: '0.0.0.0', to: '255.255.255.255', card: 'br0' }
const HTTP: Arriving = { protocol: 'tcp', port: 8080, from: '10.20.0.11', to: '10.20.0.2', card: 'br0' }

/** A table for IPv4 and IPv6 with one base chain. */
const input = (...rules: readonly string[]) => `table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
${rules.map(rule => `\t\t${rule}\n`).join('')}	}
}
`
const DROPPED = { chain: 'inet filter input' }

const ROWS: readonly [rules: string, dhcp: ReturnType<typeof fateOf>, http: ReturnType<typeof fateOf>][] = [
  ['', 'accepted', 'accepted'],
  [
    input('iifname "lo" accept', 'ct state established,related accept', 'tcp dport 22 accept'),
    DROPPED,
    DROPPED,
  ],
  [input('iifname "br0" accept'), 'accepted', 'accepted'],
  [input('iifname "br*" accept'), 'accepted', 'accepted'],
  [input('iif != "br0" accept'), DROPPED, DROPPED],
  [input('ct state vmap { invalid : drop, established : accept, related : accept }'), 'unknown', 'unknown'],
  [input('ip saddr 10.20.0.0/24 accept'), DROPPED, 'accepted'],
  [
    input('ip saddr { 10.20.0.11, 10.20.0.12 } tcp dport { 22, 80,', '\t    8080 } accept'),
    DROPPED,
    'accepted',
  ],
  [input('ip saddr @racks accept'), 'unknown', 'unknown'],
  [input('udp dport 60-69 accept', 'tcp dport != 22 accept'), 'accepted', 'accepted'],
  [input('th dport { 67, 8080 } accept'), 'accepted', 'accepted'],
  [
    input('meta l4proto udp accept', 'ip6 saddr ::1 accept', 'icmp type echo-request accept'),
    'accepted',
    DROPPED,
  ],
  [input('limit rate 5/second accept'), 'unknown', 'unknown'],
  [input('udp sport 68 udp dport 67 accept'), 'unknown', DROPPED],
  [input('accept').replace('policy drop', 'policy accept'), 'accepted', 'accepted'],
  [input('reject with icmpx admin-prohibited').replace('policy drop', 'policy accept'), DROPPED, DROPPED],
  [
    input('counter packets 3 bytes 9 drop comment "no accept"').replace('policy drop', 'policy accept'),
    DROPPED,
    DROPPED,
  ],
  [
    'table ip6 filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n\t}\n}\n',
    'accepted',
    'accepted',
  ],
  [
    'table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority 0; policy drop;\n\t}\n}\n',
    'accepted',
    'accepted',
  ],
  [input('jump racks') + 'table inet other {\n\tchain racks {\n\t\taccept\n\t}\n}\n', 'unknown', 'unknown'],
  [
    input('goto racks', 'accept').replace(/\}\n$/, '\tchain racks {\n\t\ttcp dport 8080 accept\n\t}\n}\n'),
    DROPPED,
    'accepted',
  ],
  [
    input('jump racks', 'accept').replace(
      /\}\n$/,
      '\tchain racks {\n\t\tudp dport 67 drop\n\t\treturn\n\t}\n}\n',
    ),
    DROPPED,
    'accepted',
  ],
  [input('jump input'), 'unknown', 'unknown'],
]

t.test('a packet is accepted, dropped by a chain that is named, or neither is certain', async t => {
  for (const [rules, dhcp, http] of ROWS) {
    t.strictSame(fateOf(rules, DHCP), dhcp, `DHCP: ${rules}`)
    t.strictSame(fateOf(rules, HTTP), http, `HTTP: ${rules}`)
  }
})

/** The chains of ufw, with rules of its user. */
const ufw = (more: string) => `table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy drop;
		counter packets 0 bytes 0 jump ufw-before-input
		counter packets 0 bytes 0 jump ufw-user-input
		limit rate 3/minute counter packets 0 bytes 0 log prefix "[UFW BLOCK] "
	}

	chain ufw-before-input {
		iifname "lo" counter packets 0 bytes 0 accept
		ct state related,established counter packets 0 bytes 0 accept
		ct state invalid counter packets 0 bytes 0 drop
		meta l4proto icmp icmp type echo-request counter packets 0 bytes 0 accept
		udp sport 67 udp dport 68 counter packets 0 bytes 0 accept
		ip daddr 224.0.0.251 udp dport 5353 counter packets 0 bytes 0 accept
		fib daddr type broadcast counter packets 0 bytes 0 return
		limit rate 3/minute burst 10 packets counter packets 0 bytes 0 log prefix "[X Y]"
	}

	chain ufw-user-input {
		tcp dport 22 counter packets 0 bytes 0 accept
		meta l4proto tcp tcp dport { 8080, 8443 } counter packets 0 bytes 0 accept
${more}	}
}
`

t.test('rules of iptables with the chains of ufw are read', async t => {
  t.strictSame(fateOf(ufw(''), DHCP), { chain: 'ip filter INPUT' })
  t.equal(fateOf(ufw(''), HTTP), 'accepted')
  const open = '\t\tmeta l4proto udp udp dport { 67, 69 } counter packets 0 bytes 0 accept\n'
  t.equal(fateOf(ufw(open), DHCP), 'accepted')
})

t.test('the remedy opens the ports that are dropped, and no others', async t => {
  const packets = [
    { protocol: 'udp', port: 69 },
    { protocol: 'tcp', port: 8080 },
    { protocol: 'tcp', port: 8080 },
  ] as const
  const opening = (ruleset: string) => openingOf(ruleset, 'inet f in', 'br0', packets)
  t.equal(
    opening('table inet f {\n'),
    'nft insert rule inet f in iifname br0 udp dport 69 accept && nft insert rule inet f in iifname br0 tcp dport 8080 accept' +
      '   until the next restart; write it where the rules are kept',
  )
  t.equal(
    opening('table ip filter {\n\tchain ufw-before-input {\n'),
    'ufw allow in on br0 to any port 69 proto udp && ufw allow in on br0 to any port 8080 proto tcp',
  )
  t.equal(
    opening('table inet firewalld {\n'),
    'firewall-cmd --permanent --zone="$(firewall-cmd --get-zone-of-interface=br0 || firewall-cmd --get-default-zone)"' +
      ' --add-port=69/udp --add-port=8080/tcp && firewall-cmd --reload',
  )
})
