// The kernels and images that profiles name, as the server would find them.

import { realpathSync, statSync } from 'node:fs'
import { join, posix, sep } from 'node:path'
import type { World } from './world.ts'

/** The assets in this folder. A file that a link leads to is there only where it is in the folder as well. */
export function assetsIn(folder: string): Required<Pick<World, 'assetBytes' | 'isLinkedOut'>> {
  const seen = (path: string) => {
    const clean = posix.normalize(`/assets/${path}`) // clients ask for this one
    if (!clean.startsWith('/assets/')) return undefined
    try {
      const top = realpathSync(folder)
      const real = realpathSync(join(top, clean.slice('/assets/'.length)))
      const file = statSync(real)
      if (!file.isFile()) return undefined
      return { bytes: file.size, isOut: !real.startsWith(top.endsWith(sep) ? top : `${top}${sep}`) }
    } catch {
      return undefined // it is not there, or cannot be reached
    }
  }
  return {
    assetBytes: path => {
      const it = seen(path)
      return it === undefined || it.isOut ? undefined : it.bytes
    },
    isLinkedOut: path => seen(path)?.isOut === true,
  }
}
