// The real Butane and Ignition as judges of many configs: one process with both libraries, at the versions that the images
// are built with.

import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findArtefact } from '#host/cache.ts'
import { goRecipe, type GoRecipe } from '#images/go.ts'

const source = readFileSync(new URL('judge/main.go', import.meta.url), 'utf8')

/** What `npm test` builds before it begins. */
export const judgeRecipe: GoRecipe = goRecipe(
  {
    name: 'oracle-judge',
    module: 'github.com/coreos/butane',
    version: 'v0.29.0',
    packages: { 'oracle-judge': '.' },
  },
  {
    prepare: (_, scratch) => writeFile(join(scratch, 'main.go'), source),
    preparedBy: source,
    locked: join(import.meta.dirname, 'modules/oracle-judge'),
  },
)

const built = await findArtefact(judgeRecipe)

/** Why tests that need the judge cannot run; false when they can. */
export const skip =
  built === undefined ? 'needs the judge of configs: node_modules/.bin/node test/set-up.ts' : false

/** What is asked: a text, of which language, and the folder that a Butane config may read. */
export type Question = { readonly butane: boolean; readonly text: string; readonly filesDir?: string }

/** One thing that the real tool says. */
export type Entry = {
  readonly severity: 'error' | 'warning' | 'info'
  readonly path: readonly (string | number)[]
  /** From 1; 0 when it names no place. */
  readonly line: number
  readonly column: number
  readonly message: string
}

/** What the real tool makes of a config. */
export type Verdict = {
  readonly accepted: boolean
  /** Why nothing came out; empty otherwise. */
  readonly error: string
  readonly entries: readonly Entry[]
  /** The Ignition config that Butane wrote, or that Ignition read, raised to the newest spec. */
  readonly output: string
}

/** Asks the judge all questions, in their order. */
export async function judge(questions: readonly Question[]): Promise<Verdict[]> {
  const program = spawn(join(built?.path ?? '', 'oracle-judge'), [], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve, reject) =>
    program.on('close', () => resolve()).on('error', reject),
  )
  const lines = questions.map(({ butane, text, filesDir = '' }) =>
    JSON.stringify({ butane, text: Buffer.from(text).toString('base64'), filesDir }),
  )
  program.stdin.end(lines.map(line => `${line}\n`).join(''))
  const verdicts: Verdict[] = []
  for await (const line of createInterface({ input: program.stdout }))
    verdicts.push(JSON.parse(line) as Verdict)
  await ended
  if (verdicts.length !== questions.length) {
    throw new Error(`the judge answered ${verdicts.length} of ${questions.length}`)
  }
  return verdicts
}
