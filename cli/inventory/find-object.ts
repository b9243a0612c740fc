// An object by its id alone, as people type it: `describe ctl-1`.

import { Failure } from '#model/error.ts'
import { type Kind, KINDS } from '#model/kinds.ts'

/**
 * The kind of the one object that has this id; of a machine also where it is called by MAC, UUID, serial or address.
 *
 * @throws {Failure} NOT_FOUND when no kind has it; BAD_OPTION when several have
 */
export async function kindOfId(server: string, id: string): Promise<Kind> {
  if (KINDS.some(kind => kind === id || `${kind}s` === id)) {
    const kind = id.replace(/s$/, '')
    throw new Failure('BAD_OPTION', `describe ${id}: no ${kind} is named`, `pilotlight get ${kind}s`)
  }
  const { Refusal } = await import('#client/refusal.ts')
  const { ServerClient } = await import('#client/server.ts')
  const client = new ServerClient(server)
  const found: Kind[] = []
  for (const kind of KINDS) {
    const path =
      kind === 'machine'
        ? `/machines/${encodeURIComponent(id)}`
        : `/v1/${kind}s/${id.split('/').map(encodeURIComponent).join('/')}`
    try {
      await (await client.request('GET', path)).body?.cancel()
      found.push(kind)
    } catch (error) {
      if (!(error instanceof Refusal) || error.httpStatus !== 404) throw error
    }
  }
  const [only, ...others] = found
  if (only === undefined)
    throw new Failure(
      'NOT_FOUND',
      `there is no group, profile, template or machine "${id}"`,
      'pilotlight get machines',
    )
  if (others.length > 0) {
    const what = `"${id}" is the id of several objects: a ${found.join(', a ')}`
    throw new Failure('BAD_OPTION', what, `pilotlight describe ${only} ${id}`)
  }
  return only
}
