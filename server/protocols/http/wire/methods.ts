// Which methods a path takes, for the answer to a request with another one (RFC 9110 §15.5.6).

import type { FastifyInstance } from 'fastify'

/**
 * Notes the routes of `app` that are added from now on. Gives a look-up: the methods of a path, sorted; none where there
 * is nothing.
 */
export function noteMethods(app: FastifyInstance): (path: string) => readonly string[] {
  const byPattern = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const route = byPattern.get(url) ?? { pattern: patternOf(url), methods: new Set() }
    byPattern.set(url, route)
    for (const one of [method].flat()) route.methods.add(one)
  })
  return path => {
    const routes = [...byPattern.values()].filter(({ pattern }) => pattern.test(path))
    return [...new Set(routes.flatMap(({ methods }) => [...methods]))].toSorted()
  }
}

/** The paths of a route: `:id` is one part that is not empty, `*` all that is left. */
export function patternOf(url: string): RegExp {
  const parts = url.split('/').map(part => {
    if (part === '*') return '.*'
    return part.startsWith(':') ? '[^/]+' : part.replaceAll(/[^\w-]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('/')}$`, 's')
}
