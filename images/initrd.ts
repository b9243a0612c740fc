// Kernel and initrd of the live system: dracut with Ignition's module and ours.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Recipe } from '#host/cache.ts'

import { isolated } from './commands.ts'
import { dataFile, scriptTexts, textsBelow } from './files.ts'
import { ignitionRecipe } from './go-tools.ts'
import { liveRootRecipe } from './live-root.ts'

const script = dataFile('scripts/make-initrd.sh')
const dracutModule = dataFile('live/dracut')
const networkFile = dataFile('live/root/etc/systemd/network/80-pilotlight.network')

/** `vmlinuz` and `initrd.img`. */
export const initrdRecipe: Recipe = {
  name: 'live-initrd',
  title: 'live system: kernel and initrd',
  inputs: {
    scripts: scriptTexts('make-initrd.sh', 'overlay.sh'),
    module: textsBelow(dracutModule),
    network: readFileSync(networkFile, 'utf8'),
  },
  needs: [liveRootRecipe, ignitionRecipe],
  async build(work) {
    const root = join(work.needs[liveRootRecipe.name]!, 'root') // both are in `needs`
    const ignition = work.needs[ignitionRecipe.name]!
    work.stage.waiting('dracut')
    // dracut prints each of its steps; the longest silence is the compression's.
    const silence = { silenceSeconds: 900 }
    await isolated(work, silence, 'bash', [script, root, work.directory, ignition, dracutModule, networkFile])
  },
}
