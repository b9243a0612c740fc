// What the tests that boot one machine share: its rack, its lab with the real server, and when its system is up.

import { join, resolve } from 'node:path'
import { placeAssets } from '#images/assets.ts'
import type { ImageSet } from '#images/build.ts'
import { openLab } from '#lab/lab.ts'
import type { Lab } from '#lab/lab.ts'
import type { Rack, RackMachine } from '#lab/rack.ts'
import { waitUntil } from '#progress/wait.ts'

/** A rack of one machine, `m-1`, which boots what the profiles of the project say. */
export function rackOfOne(name: string, hardware: Partial<RackMachine> & Pick<RackMachine, 'driver'>): Rack {
  const firmware = resolve('lab/racks/firmware')
  const machine = { name: 'm-1', mac: '52:54:00:20:00:11', uuid: '5a0e7f00-0022-4000-8000-0000000000aa' }
  return {
    name,
    bridge: { address: '10.20.0.1', prefix: 24 },
    data: join(firmware, 'data'),
    objects: join(firmware, 'objects.json'),
    machines: [{ ...machine, firmware: 'bios', accelerator: 'tcg', ...hardware }],
  }
}

/**
 * A lab in the test's own folder, which the test's end takes down. `down` is registered before the folder is made: tap removes
 * the folder before it runs what was registered after it, and without its files a lab cannot find its processes.
 */
export async function labIn(t: Tap, rack: Rack): Promise<Lab> {
  let lab: Lab | undefined
  t.teardown(() => lab?.down())
  lab = await openLab(rack, { root: t.testdir() })
  return lab
}

/** A lab with its server, which the test's end takes down. */
export async function labWithServer(
  t: Tap,
  rack: Rack,
  images: ImageSet,
): Promise<{ lab: Lab; url: string }> {
  const lab = await labIn(t, rack)
  const assetsPath = join(lab.directory, 'assets')
  await placeAssets(images, assetsPath)
  const { hostUrl } = await lab.startServer({ assetsPath })
  return { lab, url: hostUrl }
}

/** What helpers use of a test. */
export type Tap = { testdir(): string; teardown(undo: () => unknown): void }

/** Resolves when the system of the container machine `m-1` has started all that it starts. */
export async function systemUp(lab: Lab): Promise<void> {
  await waitUntil('its system is up', { limitSeconds: 60 }, async () => {
    const { stdout } = await lab.machine('m-1').exec(['systemctl', 'list-jobs', '--no-legend'])
    return stdout.trim() === '' ? { value: true } : { not: `jobs: ${stdout}` }
  })
}
