// One type of error for the whole product: who may have another, and that no code is left over.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ERROR_CODES, Failure } from '#model/error.ts'

const ROOT = join(import.meta.dirname, '../..')
const sources = globSync('{model,host,progress,images,server,client,rack,lab,cli}/**/*.ts', {
  cwd: ROOT,
}).map(path => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))

/** Errors that the code which asked for the work catches and says in its own terms: no person meets them. */
const INTERNAL = [
  'BadCall', // a function of a Go template
  'BadJson',
  'BadMetadata',
  'BadSelector',
  'BadUnit', // a systemd unit in a config: a finding
  'BadYaml',
  'BrokenFile', // a file of a data directory: a problem in a list
  'CallFailed', // an answer of gRPC, whose codes are numbers
  'GoTemplateError',
  'MalformedOption', // packets: counted and dropped
  'MalformedPacket',
  'MalformedTftp',
  'NotForHelm', // a place in a site file or an override
  'NumberTooLarge', // a number in a file of Matchbox: a problem in a list
  'OverBudget',
  'TemplateFault',
  'Undo', // the end of a dry run
  'UnfitRequest', // a request to sign
  'Unusable', // an answer that a download tries again
]

t.test('every error that a person may meet is a PilotlightError', async t => {
  const plain = sources.flatMap(({ text }) =>
    [...text.matchAll(/class (\w+) extends Error\b/g)].map(([, name = '']) => name),
  )
  t.strictSame(plain.toSorted(), ['PilotlightError', ...INTERNAL].toSorted())
})

t.test('every code is given somewhere, and none is listed twice', async t => {
  t.equal(new Set(ERROR_CODES).size, ERROR_CODES.length)
  const rest = sources.filter(({ path }) => path !== 'model/error.ts' && path !== 'cli/exit.ts')
  for (const code of ERROR_CODES) {
    t.ok(
      rest.some(({ text }) => text.includes(`'${code}'`)),
      code,
    )
  }
})

t.test('a failure keeps its cause out of its message', async t => {
  const cause = new Error('EACCES')
  t.match(new Failure('BAD_INPUT', 'x cannot be read', 'name another', { cause }), {
    code: 'BAD_INPUT',
    message: 'x cannot be read',
    remedy: 'name another',
    cause,
  })
})
