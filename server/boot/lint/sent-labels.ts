// The labels that a machine sends because a file tells it to: the queries of URLs in arguments, scripts and configs.

import type { Profile } from '#model/profile.ts'
import type { Labels } from '#model/selector.ts'
import { textsOf } from '#model/profile-assets.ts'

/** A page of the server that a machine asks for with labels. */
export type AskedPage = 'ignition' | 'generic' | 'cloud'

/**
 * The query with which a profile's own arguments make a machine ask for a page, and the labels in it: of two of a name the first,
 * as in the server. What iPXE fills in has the value of `known`, or `x`. `isNamed` says whether an argument names the page
 * with a query: then a machine sends these labels and no others.
 */
export function sentByProfile(
  profile: Profile,
  page: AskedPage,
  known: Labels,
): { readonly labels: Labels; readonly rawQuery: string; readonly isNamed: boolean } {
  const labels: Record<string, string> = {}
  const parts: string[] = []
  for (const [, text] of textsOf(profile)) {
    const [, query = ''] = new RegExp(`/${page}\\?([^\\s"'#]*)`).exec(text) ?? []
    for (const pair of query === '' ? [] : query.split('&')) {
      const [key = '', written = ''] = pair.split(/=(.*)/s)
      if (key === '' || /[${}]/.test(key)) continue
      const value = written.replaceAll(/\$\{[^}]*\}/g, known[key] ?? 'x')
      labels[decoded(key)] ??= decoded(value)
      parts.push(`${key}=${value}`)
    }
  }
  return { labels, rawQuery: parts.join('&'), isNamed: parts.length > 0 }
}

/** The keys of all queries in these texts: `os` where one has `…&os=installed`. */
export function keysSentIn(texts: Iterable<string>): ReadonlySet<string> {
  const keys = new Set<string>()
  for (const text of texts) {
    for (const [, key = ''] of text.matchAll(/[?&]([A-Za-z_][\w.-]{0,63})=/g)) keys.add(key)
  }
  return keys
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}
