// Does the small initrd for virtual machines pay? Both initrds boot the same emulated machine with virtio as far as a lease, by
// turns. Seconds of the host's processors say more than those of the wall where the host has other work.
//   sudo node_modules/.bin/node bench/initrd.ts [ROUNDS]

import { statSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { findArtefact } from '#host/cache.ts'
import { initrdRecipe } from '#images/initrd.ts'
import { bootInitrd } from '#test/images/probed-boot.ts'

const MAC = '52:54:00:20:02:01'
const DEVICES = [
  `-netdev user,id=net -device virtio-net-pci,netdev=net,mac=${MAC}`,
  '-drive file=a.img,if=virtio,format=raw,cache=unsafe -device virtio-rng-pci',
]

const built = await findArtefact(initrdRecipe)
if (built === undefined) throw new Error('The live system is not built: bin/pilotlight images build')
const rounds = Number(process.argv[2] ?? 3)
const kinds = {
  server: ['microcode.img', 'initrd.img'],
  'no microcode': ['initrd.img'],
  vm: ['initrd-vm.img'],
}
for (const [kind, files] of Object.entries(kinds)) {
  const bytes = files.reduce((sum, name) => sum + statSync(join(built.path, name)).size, 0)
  process.stdout.write(`${kind}: ${files.join(' + ')}, ${(bytes / 1e6).toFixed(1)} MB\n`)
}
for (let round = 1; round <= rounds; round += 1) {
  for (const [kind, files] of Object.entries(kinds)) {
    const { seconds, cards } = await bootInitrd(built.path, files, MAC, DEVICES)
    if (cards.get(MAC) === 'none') throw new Error(`${kind}: no lease`)
    const { kernel, wall, processor } = seconds
    const text = [
      `kernel to lease ${kernel.toFixed(1)} s`,
      `wall ${wall.toFixed(1)} s`,
      `processor ${processor.toFixed(1)} s`,
    ]
    process.stdout.write(`${round} ${kind}: ${text.join(', ')}, load ${loadavg()[0]!.toFixed(0)}\n`) // three numbers
  }
}
