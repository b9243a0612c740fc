// Ids that name files of a data directory, as Matchbox reads them: `./node`, `/node` and `racks/../node` are `node`.

import { posix } from 'node:path'

/**
 * The file of `folder` that an id names. An id that leads out of the folder is given as it is: no file has such a name.
 */
export function fileNamed(folder: string, id: string): string {
  const name = posix.join('/', folder, id).slice(1).replace(/\/$/, '')
  return name.startsWith(`${folder}/`) ? name : `${folder}/${id}`
}

/** The name of the profile that a group names by `id`: that of its file, without folder and `.json`. */
export function profileNamed(id: string): string {
  return fileNamed('profiles', `${id}.json`).slice('profiles/'.length, -'.json'.length)
}
