// What every test may rely on: the peers from Debian's packages and from Go modules, and the images. Run by `npm test`, safe to repeat.

import { obtainAll } from '#host/cache.ts'
import { ensurePrerequisites } from '#host/prerequisites.ts'
import { buildImages } from '#images/build.ts'
import { labPrerequisites, libvirtPrerequisites, openstackClientPrerequisites } from '#lab/prerequisites.ts'
import { inStage } from '#progress/stage.ts'
import { drawProgress } from '#progress/terminal.ts'
import { testPrerequisites } from './prerequisites.ts'
import { judgeRecipe } from './oracle/judge.ts'
import { valuesReaderRecipe } from './rack/site/values-reader/program.ts'
import { rpcPeerRecipes } from './server/protocols/rpc/programs.ts'

const drawing = drawProgress()
try {
  await inStage(drawing.root, 'packages', stage =>
    ensurePrerequisites(stage, [
      ...labPrerequisites,
      ...libvirtPrerequisites,
      ...openstackClientPrerequisites,
      ...testPrerequisites,
    ]),
  )
  await inStage(drawing.root, 'images', stage => buildImages({ stage }))
  await inStage(drawing.root, 'peers', stage =>
    obtainAll([...rpcPeerRecipes, valuesReaderRecipe, judgeRecipe], { stage }),
  )
} catch (error) {
  drawing.line(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  drawing.close()
}
