// What machines fetch from the assets: whether it is there, of which version it is, and whether it is whole.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Machine } from '#model/machine.ts'
import { SlotUnfit } from '../assets/errors.ts'
import {
  blocking,
  buildImages,
  noSite,
  ofObstacles,
  ok,
  unseen,
  warning,
  type Facts,
  type Found,
} from './facts.ts'

/** The folder of the live system in the assets. */
const LIVE = 'live'

/** Whether all that the profiles of the sites name is there. */
export async function assets(facts: Facts): Promise<Found | Found[]> {
  const found = ofObstacles(facts, 'assets')
  if (found.length > 0) return found
  const { assetsPath } = facts.place
  if (facts.sites.length === 0) return noSite()
  if (assetsPath === undefined) return ok('none are served, and no profile of a site names one')
  return ok(`all that the profiles of the site name is in ${assetsPath}`)
}

/** Of which version the live system is, and whether its files have their sizes, and its Kubernetes is that of the sites. */
export async function images(facts: Facts): Promise<Found | Found[]> {
  const found = ofObstacles(facts, 'images')
  if (found.length > 0) return found
  const { place, needs } = facts
  const { assetsPath } = place
  if (assetsPath === undefined) return unseen('there is no assets folder')
  const fix = buildImages(assetsPath)
  let slot
  try {
    slot = await needs.slots.description(LIVE)
  } catch (error) {
    if (error instanceof SlotUnfit) return blocking(error.message, fix)
    throw error
  }
  if (slot === undefined) {
    const path = join(assetsPath, LIVE, 'slot.json')
    const named = facts.sites.flatMap(({ objects }) => objects.machines).filter(isInstalled)
    const [first] = named
    if (first !== undefined && place.hasAsset(`${LIVE}/vmlinuz`)) {
      const more = named.length === 1 ? '' : ` and ${named.length - 1} more`
      return warning(
        `${path} is not there, so there is nothing to install to the disks of ${first.name}${more}: what is on no disk yet runs from RAM`,
        fix,
      )
    }
    return unseen(`${path} is not there, so the images do not say of which version they are`, fix)
  }
  const wrong = await needs.slots.misfits(LIVE, slot.files)
  if (wrong.length > 0)
    return blocking(`the live system is damaged, or is of two builds: ${wrong.join('; ')}`, fix)
  const { version, kubernetes } = slot
  if (kubernetes === undefined) return unseen('the images do not say which Kubernetes they have', fix)
  return ok(`live system ${version}, Kubernetes ${kubernetes}`)
}

/** Whether the files of the live system are those of one build. A second look need not read gigabytes. */
export async function digests({ place: { assetsPath }, needs: { slots } }: Facts): Promise<Found> {
  if (assetsPath === undefined) return unseen('there is no assets folder')
  const fix = buildImages(assetsPath)
  const files = (await slots.description(LIVE))?.files ?? (await rootImage(assetsPath))
  if (files === undefined) return unseen(`nothing in ${assetsPath} says which digests its images have`, fix)
  const wrong = await slots.differences(LIVE, files)
  if (wrong.length === 0)
    return ok(`${Object.keys(files).length} files of the live system have their digests`)
  return blocking(`the live system is damaged, or is of two builds: ${wrong.join('; ')}`, fix)
}

/** Whether a machine is to be installed to a disk. */
function isInstalled({ disk }: Machine): boolean {
  return disk !== undefined && disk !== 'none'
}

/** Of images that were built for memory alone, the root image has a digest. */
async function rootImage(
  assetsPath: string,
): Promise<Readonly<Record<string, { readonly sha256: string }>> | undefined> {
  const text = await readFile(join(assetsPath, LIVE, 'rootfs.sha256'), 'utf8').catch(() => '')
  return /^[0-9a-f]{64}\s*$/.test(text) ? { 'rootfs.squashfs': { sha256: text.trim() } } : undefined
}
