// What every test may rely on: the peers from Debian's packages, and the images. Run by `npm test`, safe to repeat.

import {
  ensurePrerequisites,
  labPrerequisites,
  openstackClientPrerequisites,
  testPrerequisites,
} from '#host/prerequisites.ts'
import { buildImages } from '#images/build.ts'
import { inStage } from '#progress/stage.ts'
import { drawProgress } from '#progress/terminal.ts'

const drawing = drawProgress()
try {
  await inStage(drawing.root, 'packages', stage =>
    ensurePrerequisites(stage, [...labPrerequisites, ...openstackClientPrerequisites, ...testPrerequisites]),
  )
  await inStage(drawing.root, 'images', stage => buildImages({ stage }))
} catch (error) {
  drawing.line(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  drawing.close()
}
