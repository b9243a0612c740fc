// The reader of values that Helm has, sigs.k8s.io/yaml, as a program: what our reader is held against.

import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { goRecipe } from '#images/go.ts'

const source = readFileSync(new URL('main.go', import.meta.url), 'utf8')

/** The module that reads values in our Helm: images/go/helm/go.mod has the same, which the test compares. */
export const READER = { module: 'sigs.k8s.io/yaml', version: 'v1.6.0' }

/** What `npm test` builds before it begins. */
export const valuesReaderRecipe = goRecipe(
  {
    name: 'values-reader',
    ...READER,
    packages: { 'values-reader': '.' },
  },
  {
    prepare: (_, scratch) => writeFile(join(scratch, 'main.go'), source),
    preparedBy: source,
    locked: join(import.meta.dirname, 'modules'),
  },
)

const found = await findArtefact(valuesReaderRecipe)

/** Why tests that need the program cannot run; false when they can. */
export const skip = found ? false : "needs Helm's reader of values: node_modules/.bin/node test/set-up.ts"

/** What Helm makes of each text: its values, or why it refuses the text. */
export async function readAsHelm(texts: readonly string[]): Promise<readonly HelmResult[]> {
  const input = JSON.stringify(texts)
  const { stdout } = await run(join(found?.path ?? '', 'values-reader'), [], { input, limitSeconds: 60 })
  return JSON.parse(stdout) as HelmResult[] // main.go
}

type HelmResult = { readonly value: Readonly<Record<string, unknown>> | null; readonly error?: string }
