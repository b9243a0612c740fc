// The key `trust` of a site file, from its text (read.ts) to the groups (compile.ts) and to what a plan says of it.

import t from 'tap'
import { trustSentences } from '#rack/up/plan-trust.ts'
import { compileSite } from '#rack/site/compile.ts'
import { FileProblems } from '#rack/site/problems.ts'
import { parseSite } from '#rack/site/read.ts'

const siteWith = (trust: string) => `name: rack-1
network: { subnet: 10.20.0.0/24 }
machines:
  - { name: ctl-1, mac: 52:54:00:20:00:01, role: controller }
  - { name: cmp-1, mac: 52:54:00:20:00:02, role: compute }
${trust}
`
const parse = (trust: string) => parseSite('site.yaml', siteWith(trust))

t.test('a site that says nothing asks an operator, at L2', async t => {
  const site = parse('')
  const trust = { level: 'L2', approve: 'operator', reboot: 'approve', deadlineMinutes: 60 }
  t.strictSame(site.trust, trust)
  t.strictSame(
    compileSite(site).machines.map(machine => machine.trust),
    [trust, trust],
  )
})

t.test('reads level, approval, reboot and deadline', async t => {
  t.strictSame(parse('trust: { level: L3 }').trust.reboot, 'same-key', 'a TPM keeps its key')
  t.strictSame(
    parse('trust: { approve: { racks: [a], ports: ["circuit=1 remote=2"] }, deadline: 8h }').trust,
    {
      level: 'L2',
      approve: { racks: ['a'], ports: ['circuit=1 remote=2'] },
      reboot: 'approve',
      deadlineMinutes: 480,
    },
  )
})

t.test('names line, column and remedy of what is wrong', async t => {
  const rows: [string, RegExp][] = [
    [
      'trust: { level: L4 }',
      /^PL-1004 site\.yaml:6:10 trust\.level: "L4" is none of L1, L2, L3\n.*L1: the wire/,
    ],
    ['trust: { approve: frist-boot }', /PL-1004 .*6:10 .*\n {2}did you mean "first-boot"\?/],
    ['trust: { approve: {} }', /PL-1003 .*no condition/],
    ['trust: { approve: { rack: [a] } }', /PL-1002 .*6:21 .*unknown key\n.*"racks"/],
    ['trust: { level: L1, reboot: same-key }', /PL-1004 .*6:21 trust\.reboot: no key is pinned at L1/],
    ['trust: { level: L1, approve: operator }', /PL-1004 .*6:21 trust\.approve: no key is approved at L1/],
    ['trust: { deadline: soon }', /PL-1004 .*"soon" is not a time/],
    ['trust: { levle: L1 }', /PL-1002 .*unknown key\n.*"level"/],
  ]
  for (const [trust, said] of rows) {
    try {
      parse(trust)
      t.fail(`${trust} was taken`)
    } catch (error) {
      t.ok(error instanceof FileProblems, trust)
      t.match((error as Error).message, said, trust)
    }
  }
})

t.test('the plan says what each level keeps out, and at L1 what a false machine would obtain', async t => {
  t.match(trustSentences(parse('')), [
    /^L2: .*sealed.*keeps out/,
    /an operator approves.*60 min/,
    /reopen NAME$/,
  ])
  t.match(trustSentences(parse('trust: { level: L1, reboot: auto }')), [
    /^L1: .*keeps out/,
    /^a false controller machine would obtain: the service account key/,
    /^a false compute machine would obtain: a kubelet's identity/,
    /no key is approved/,
    /any key/,
  ])
  t.match(trustSentences(parse('trust: { approve: first-boot }'))[1], /trusted without a look, and pinned/)
  t.match(
    trustSentences(parse('trust: { approve: { racks: [a, b], serials: [x] } }'))[1],
    /rack a or b and serial number x; rack and serial number are what the site file declares, not what a machine shows; any other/,
  )
  t.notMatch(trustSentences(parse('trust: { approve: { ports: [p] } }'))[1], /declares/)
  const l3 = 'trust: { level: L3 }'
  t.match(trustSentences(parse(l3)), [
    /^L3: .*TPM vouches/,
    /no machine is declared with its TPM/,
    /operator/,
    /same key/,
  ])
  const digest = `SHA256:${'ab'.repeat(32)}`
  const site = parse(l3)
  const [first, ...others] = site.machines
  const machines = [{ ...first!, tpm: digest }, ...others] // the file has two
  t.match(trustSentences({ ...site, machines })[1], /which no one has to approve: ctl-1$/)
})

t.test('the plan says that at L2 no key survives a reboot', async t => {
  const waits = /keeps its key in RAM, so each reboot waits for an operator/
  t.match(trustSentences(parse('trust: { reboot: same-key }')).at(-1), waits)
  t.notMatch(trustSentences(parse('trust: { level: L3 }')).join('\n'), waits, 'a TPM keeps its key')
})

t.test('the plan warns of conditions that no machine of the site meets', async t => {
  const warning = /^warning: no machine of this site has the label/
  const warningsOf = (trust: string, labels: Record<string, string> = {}) => {
    const site = parse(trust)
    const machines = site.machines.map(machine => ({ ...machine, labels }))
    return trustSentences({ ...site, machines }).filter(sentence => warning.test(sentence))
  }
  t.match(warningsOf('trust: { approve: { racks: [a] } }', { rack: 'b' }), [/label rack that/])
  t.match(warningsOf('trust: { approve: { serials: [S1] } }'), [/label serial that/])
  t.match(warningsOf('trust: { approve: { racks: [a], serials: [S1] } }', { rack: 'a' }), [/rack and serial/])
  t.strictSame(warningsOf('trust: { approve: { racks: [a] } }', { rack: 'a' }), [])
  t.strictSame(warningsOf('trust: { approve: { ports: ["circuit=1"] } }'), [], 'a relay says the port later')
})
