// `npm run lock -- NAME… [VERSION]`: chooses the Go modules of programs anew and writes their go.mod and go.sum. All programs
// when none is named; a version can be given for kubernetes, whose version is a setting. Every other version is in the
// recipe. Read what changed before you commit it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { goToolRecipes } from '#images/go-tools.ts'
import { kubernetesRecipe } from '#images/kubernetes.ts'
import { DEFAULT_KUBERNETES } from '#images/references.ts'
import { inStage } from '#progress/stage.ts'
import { drawProgress } from '#progress/terminal.ts'
import { judgeRecipe } from './oracle/judge.ts'
import { valuesReaderRecipe } from './rack/site/values-reader/program.ts'
import { rpcPeerRecipes } from './server/protocols/rpc/programs.ts'

const isVersion = (text: string) => /^v?\d/.test(text)
const args = process.argv.slice(2)
const names = args.filter(text => !isVersion(text))
const kubernetes = args.find(isVersion)?.replace(/^v/, '') ?? DEFAULT_KUBERNETES
const all = [
  kubernetesRecipe(kubernetes),
  ...goToolRecipes,
  ...rpcPeerRecipes,
  valuesReaderRecipe,
  judgeRecipe,
]
const unknown = names.filter(name => !all.some(recipe => recipe.name === name))
if (unknown.length > 0) {
  process.stderr.write(
    `There is no ${unknown.join(', ')}. Name one of: ${all.map(it => it.name).join(', ')}\n`,
  )
  process.exit(2)
}

const drawing = drawProgress()
try {
  for (const recipe of all) {
    if (names.length > 0 && !names.includes(recipe.name)) continue
    await inStage(drawing.root, recipe.title, async stage => {
      const directory = await mkdtemp(join(tmpdir(), 'pilotlight-lock-'))
      try {
        await recipe.lock({ directory, needs: {}, stage, log: join(directory, 'log') })
      } finally {
        await rm(directory, { recursive: true })
      }
    })
  }
} catch (error) {
  drawing.line(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  drawing.close()
}
