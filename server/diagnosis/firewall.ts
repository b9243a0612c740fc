// What the firewall of a host does with a packet of a machine: reads what `nft list ruleset` prints, and decides only what is
// certain. Pure. Rules of iptables are among them where that is iptables-nft, as in Debian.

import { contains } from '#model/ipv4.ts'

/** The first packet of a machine to one port of this host. */
export type Arriving = {
  readonly protocol: 'udp' | 'tcp'
  readonly port: number
  /** Where it comes from and goes to: IPv4 addresses. */
  readonly from: string
  readonly to: string
  /** The interface that it arrives at. */
  readonly card: string
}

/** A chain that packets to this host pass, as nft names it: `inet filter input`. */
export type Dropping = { readonly chain: string }

type Outcome = 'accept' | 'drop' | 'next'
type Chain = { policy: Outcome; isInput: boolean; readonly rules: string[] }
type Match = 'yes' | 'no' | 'maybe'

const ANYTHING: readonly Outcome[] = ['accept', 'drop', 'next']

/**
 * What becomes of a packet: a chain that certainly drops it, `accepted` where every chain certainly takes it, and `unknown` where
 * that depends on more than is known here, as on sets or on rates.
 */
export function fateOf(ruleset: string, packet: Arriving): Dropping | 'accepted' | 'unknown' {
  const chains = chainsIn(ruleset)
  const known = new Map<string, readonly Outcome[]>()
  let isUnknown = false
  for (const [name, chain] of chains) {
    if (!chain.isInput) continue
    const found = outcomesOf(name, chains, packet, known)
    const ends = new Set(found.map(end => (end === 'next' ? chain.policy : end)))
    if (ends.size > 1) isUnknown = true
    else if (ends.has('drop')) return { chain: name }
  }
  return isUnknown ? 'unknown' : 'accepted'
}

/** The chains of tables for IPv4, by family, table and name. */
function chainsIn(ruleset: string): Map<string, Chain> {
  const chains = new Map<string, Chain>()
  let table = ''
  let chain: Chain | undefined
  for (const line of ruleset.split('\n')) {
    const [, family = '', name = ''] = /^table (\w+) (\S+) \{/.exec(line) ?? []
    if (family !== '') table = family === 'ip' || family === 'inet' ? `${family} ${name}` : ''
    const [, called] = /^\tchain (\S+) \{/.exec(line) ?? []
    if (called !== undefined && table !== '') {
      chain = { policy: 'accept', isInput: false, rules: [] }
      chains.set(`${table} ${called}`, chain)
    } else if (/^\t?\}/.test(line)) chain = undefined
    else if (chain !== undefined && line.startsWith('\t\ttype ')) {
      chain.isInput = line.startsWith('\t\ttype filter hook input ')
      if (/ policy drop;/.test(line)) chain.policy = 'drop'
    } else if (chain !== undefined && /^\t\t\s/.test(line))
      chain.rules.push(`${chain.rules.pop()} ${line.trim()}`)
    else if (chain !== undefined) chain.rules.push(line.trim())
  }
  return chains
}

/** What may become of a packet in a chain; `next` is that no rule of it decides. Each chain is read once, into `known`. */
function outcomesOf(
  name: string,
  chains: ReadonlyMap<string, Chain>,
  packet: Arriving,
  known: Map<string, readonly Outcome[]>,
): readonly Outcome[] {
  const before = known.get(name)
  if (before !== undefined) return before
  known.set(name, ANYTHING) // for a chain that calls itself, which nft refuses
  const table = name.slice(0, name.lastIndexOf(' '))
  const endsOf = (word: string, target: string): readonly Outcome[] => {
    if (word === 'accept') return ['accept']
    if (word === 'drop' || word === 'reject') return ['drop']
    if (word === 'continue' || word === 'return') return ['next']
    const called = `${table} ${target}`
    return chains.has(called) ? outcomesOf(called, chains, packet, known) : ANYTHING
  }
  const found = new Set<Outcome>()
  const end = (): readonly Outcome[] => {
    known.set(name, [...found])
    return [...found]
  }
  for (const rule of chains.get(name)?.rules ?? []) {
    const { match, verdict } = readRule(rule, packet)
    if (match === 'no' || verdict === '') continue
    const [word = '', target = ''] = verdict.split(' ')
    const ends = endsOf(word, target)
    const leaves = word === 'return' || word === 'goto' // no further rule of this chain is looked at
    for (const one of ends) if (one !== 'next' || leaves) found.add(one)
    if (match === 'yes' && (leaves || !ends.includes('next'))) return end()
  }
  found.add('next')
  return end()
}

const VERDICT = /(?:^| )(accept|drop|reject(?: with .*)?|return|continue|jump \S+|goto \S+|queue\b.*)$/
/** What neither matches nor decides. */
const PLAIN =
  /(?:counter packets \d+ bytes \d+|log(?: prefix "[^"]*")?(?: (?:level|group|flags|snaplen|queue-threshold) \S+)*|comment "[^"]*") ?/g

function readRule(rule: string, packet: Arriving): { match: Match; verdict: string } {
  const text = rule.replaceAll(PLAIN, '').trim()
  const [, verdict = ''] = VERDICT.exec(text) ?? []
  let rest = text.slice(0, text.length - verdict.length).trim()
  // A statement that is not known here may decide as well: a verdict map, for one.
  if (verdict === '')
    return { match: rest === '' ? 'no' : 'maybe', verdict: /\bvmap\b/.test(rest) ? 'vmap' : '' }
  let match: Match = 'yes'
  while (rest !== '') {
    const [whole = '', key = '', not, value = ''] = CONDITION.exec(rest) ?? []
    if (whole === '') return { match: 'maybe', verdict }
    const holds = conditionHolds(key, value, packet)
    if (holds === undefined) match = 'maybe'
    else if (holds === (not !== undefined)) return { match: 'no', verdict }
    rest = rest.slice(whole.length).trim()
  }
  return { match, verdict }
}

const CONDITION =
  /^(iifname|iif|ip saddr|ip daddr|ip protocol|meta l4proto|meta nfproto|ct state|ip6 \w+|icmp \w+|icmpv6 \w+|(?:udp|tcp|th) [ds]port)( !=)? (\{[^}]*\}|\S+)/

/** Whether one condition holds; undefined where that is not known. */
function conditionHolds(key: string, value: string, packet: Arriving): boolean | undefined {
  const values = value
    .replaceAll(/[{}"]/g, '')
    .split(',')
    .map(one => one.trim())
  if (values.some(one => one.startsWith('@'))) return undefined // a set
  const { protocol, port, from, to, card } = packet
  switch (key) {
    case 'iifname':
    case 'iif':
      return values.some(one => (one.endsWith('*') ? card.startsWith(one.slice(0, -1)) : one === card))
    case 'ip saddr':
      return isAmong(values, from)
    case 'ip daddr':
      return isAmong(values, to)
    case 'ip protocol':
    case 'meta l4proto':
      return values.includes(protocol) || values.includes(protocol === 'udp' ? '17' : '6')
    case 'meta nfproto':
      return values.includes('ipv4')
    case 'ct state':
      return values.includes('new')
    default: {
      const [layer = '', field = ''] = key.split(' ')
      if (layer.startsWith('i')) return false // IPv6 and ICMP
      if (layer !== 'th' && layer !== protocol) return false
      if (field === 'sport' || !values.every(one => /^\d+(?:-\d+)?$/.test(one))) return undefined
      return values.some(one => isWithin(one, port))
    }
  }
}

function isAmong(values: readonly string[], address: string): boolean | undefined {
  if (values.some(one => !/^[\d.]+(?:\/\d+)?$/.test(one))) return undefined // a range, a name
  return values.some(one => (one.includes('/') ? contains(one, address) : one === address))
}

function isWithin(range: string, port: number): boolean {
  const [first = '', last = first] = range.split('-')
  return Number(first) <= port && port <= Number(last)
}
