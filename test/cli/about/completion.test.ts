// What a shell offers after a few letters, found without a shell; the words of a server are in apply.test.ts.

import { Command } from 'commander'
import t from 'tap'
import { completions } from '#cli/about/completion.ts'
import { addVerb, VERBS } from '#cli/verbs.ts'

const program = new Command('pilotlight')
for (const verb of VERBS) await addVerb(program, verb)

const rows: [typed: string, offered: string][] = [
  ['char', 'charts'],
  ['charts rot', 'rotate'],
  ['charts apply --st', '--state'],
  ['openstack rc --format cl', 'clouds.yaml'],
  ['get -o y', 'yaml'],
  ['get --server http://127.0.0.1:9 gr', 'groups'],
]
for (const [typed, offered] of rows) {
  t.test(`"${typed}" is completed to ${offered}`, async t => {
    t.strictSame(await completions(program, typed.split(' ')), [offered])
  })
}
