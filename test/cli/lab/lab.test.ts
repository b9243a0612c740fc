// The verbs of the virtual rack: one spelling for the name of a lab. What they do is in test/system and test/lab.

import { Command } from 'commander'
import t from 'tap'
import { completions } from '#cli/about/completion.ts'
import { defineLab } from '#cli/lab/lab.ts'
import { labNames } from '#lab/lab.ts'

const program = new Command('pilotlight')
defineLab(program.command('lab'))
const verbs = program.commands.flatMap(({ commands }) => commands)

t.test('every verb takes the name of a lab as --lab, and none as an argument', async t => {
  t.strictSame(
    verbs.map(verb => verb.name()),
    ['up', 'down', 'status', 'power', 'console', 'exec'],
  )
  for (const verb of verbs) {
    t.ok(
      verb.options.some(({ long }) => long === '--lab'),
      verb.name(),
    )
    t.notOk(
      verb.registeredArguments.some(argument => argument.name() === 'name'),
      verb.name(),
    )
  }
})

t.test('a shell offers the labs that are up', async t => {
  t.strictSame(await completions(program, ['lab', 'exec', '--lab', '']), labNames())
})

t.test(
  'an order that is none, and a wait that is not a time, are refused before anything is switched',
  async t => {
    for (const [words, message] of [
      [['toggle', 'm-1'], /"toggle" is not something to do with power: on, off, cycle, reset/],
      [['off', 'm-1', '--wait', 'm-2'], /--wait m-2 is not a number of seconds/],
      [['off', '--wait', '0'], /--wait 0 is not/],
    ] as const) {
      const typed = new Command('pilotlight').exitOverride()
      defineLab(typed.command('lab'))
      await t.rejects(typed.parseAsync(['lab', 'power', ...words], { from: 'user' }), {
        code: 'BAD_OPTION',
        message,
      })
    }
  },
)
