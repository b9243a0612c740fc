// Sees to it that this host can run vagrant/run. Safe to repeat.

import { ensurePrerequisites } from '#host/prerequisites.ts'
import { imagePrerequisites } from '#images/prerequisites.ts'
import { inStage } from '#progress/stage.ts'
import { drawProgress } from '#progress/terminal.ts'
import { vagrantPrerequisites } from './prerequisites.ts'

const drawing = drawProgress()
try {
  await inStage(drawing.root, 'packages', stage =>
    ensurePrerequisites(stage, [...vagrantPrerequisites, ...imagePrerequisites]),
  )
} catch (error) {
  drawing.line(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  drawing.close()
}
