// What a client names in its request line, made plain: absolute URLs, and paths that are not written the short way.

/**
 * The path and query of a request target; a proxy's way of writing it (`http://host/path`) loses its host. A target has no
 * fragment: `#` is a letter of its path.
 */
export function originForm(target: string): string {
  const [all] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target) ?? ['']
  const rest = target.slice(all.length).replace(/^[^?]*/, path => path.replaceAll('#', '%23'))
  return rest.startsWith('/') || rest.startsWith('*') ? rest : `/${rest}`
}

/** A text of Latin-1 as Go writes it into a header: each byte that is not ASCII as `%c3`. */
export function hexEscaped(text: string): string {
  return text.replaceAll(/[\x80-\xff]/g, byte => `%${byte.charCodeAt(0).toString(16)}`)
}

/**
 * Where a client is sent that asks for `target`: the same path without empty, `.` and `..` parts, and each of `folders`
 * with a slash behind, as Go's router has it. Undefined when the path is plain already.
 */
export function plainPlace(target: string, folders: readonly string[] = []): string | undefined {
  const [, path = '', query = ''] = /^([^?]*)(.*)$/s.exec(target) ?? []
  const plain = /\/\/|\/\.\.?(?:\/|$)/.test(path) ? withoutDots(path) : path
  const folder = folders.find(name => name === plain || (plain.includes('%') && name === decoded(plain)))
  const place = folder === undefined ? plain : `${folder}/`
  return place === path ? undefined : `${place}${query}`
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function withoutDots(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}${path.endsWith('/') && parts.length > 0 ? '/' : ''}`
}
