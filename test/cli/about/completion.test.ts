// What a shell offers after a few letters, found without a shell; the words of a server are in apply.test.ts.

import { Command } from 'commander'
import t from 'tap'
import { completions } from '#cli/about/completion.ts'
import { lockedKubernetes } from '#images/locked-kubernetes.ts'
import { addVerb, VERBS } from '#cli/verbs.ts'
import { pilotlight } from '../pilotlight.ts'

const program = new Command('pilotlight')
for (const verb of VERBS) await addVerb(program, verb)

const rows: [typed: string, offered: string][] = [
  ['char', 'charts'],
  ['charts rot', 'rotate'],
  ['charts apply --st', '--state'],
  ['openstack rc --format cl', 'clouds.yaml'],
  ['get -o y', 'yaml'],
  ['lab power of', 'off'],
  ['describe gr', 'group'],
  ['charts rollback lab/racks/small/site.yaml keyst', 'keystone'],
  ['get --server http://127.0.0.1:9 gr', 'groups'],
  ['get groups --output=ya', '--output=yaml'],
  ['serve --log-level de', 'debug'],
  ['serve --log-format=te', '--log-format=text'],
  ['serve --certificate-role re', 'read-only'],
  ['images build --kubernetes 1', lockedKubernetes() ?? ''],
  ['charts plan lab/racks/small/site.yaml --values keyst', 'keystone'],
  ['charts rotate lab/racks/small/site.yaml keystone-f', 'keystone-fernet-keys'],
]
for (const [typed, offered] of rows) {
  t.test(`"${typed}" is completed to ${offered}`, async t => {
    t.strictSame(await completions(program, typed.split(' ')), [offered])
  })
}

t.test('releases are those of the state directory that was typed', async t => {
  const state = t.testdir({ 'site-name': 'another\n' })
  const typed = ['charts', 'diff', '--state', state, 'lab/racks/small/site.yaml', 'keyst']
  t.strictSame(await completions(program, typed), [], 'of another site the command would refuse it')
})

t.test('get offers jsonl beside json, and an id that was typed is not offered again', async t => {
  t.strictSame(
    await completions(program, ['charts', 'apply', 'lab/racks/small/site.yaml', 'keystone', 'keyst']),
    [],
  )
  t.ok((await completions(program, ['get', '--output', ''])).includes('jsonl'))
})

t.test('help is completed to commands, their subcommands, and the codes that have a page', async t => {
  for (const [typed, offered] of [
    ['help exit', 'exit-codes'],
    ['help jour', 'journal'],
    ['help PL-7003', 'PL-7003'],
    ['help SERVER_UNR', 'SERVER_UNREACHABLE'],
    ['help lab pow', 'power'],
  ] as const) {
    const { out } = await pilotlight(['__complete', '--', ...typed.split(' ')])
    t.equal(out, `${offered}\n`, typed)
  }
})
