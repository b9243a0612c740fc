// What a machine would be served, page by page: the text, or the status and the reason why there is none.

import type { Group } from '#model/group.ts'
import type { Machine } from '#model/machine.ts'
import type { Profile } from '#model/profile.ts'
import type { Labels } from '#model/selector.ts'
import { ServerError } from '../../errors.ts'
import { grubOf, ignitionTextOf, scriptOf, type Renderers } from '../render/answers.ts'
import { cloudText, genericText } from '../render/generic.ts'
import { metadataText } from '../render/metadata.ts'

/** One page. */
export type Page = { readonly path: string } & (
  { readonly status: 200; readonly text: string } | { readonly status: number; readonly error: string }
)

/** The machine that asks for the pages, and what it was matched to. */
export type PageReader = {
  readonly labels: Labels
  readonly group: Group
  readonly profile: Profile | undefined
  readonly machine: Machine | undefined
}

/** Those pages that the profile has something for, and the script in any case. No token is in them. */
export function pagesOf(renderers: Renderers, { profile, ...reader }: PageReader): Page[] {
  const metadata = page('/metadata', () => metadataText(reader.group, reader.labels, ''))
  if (profile === undefined) return [metadata]
  const match = { ...reader, profile }
  const subject = { ...match, rawQuery: '' }
  return [
    page('/ipxe', () => scriptOf(renderers, match).script),
    page('/grub', () => grubOf(renderers, match)),
    ...(profile.ignition_id === undefined
      ? []
      : [page('/ignition', () => ignitionTextOf(renderers, match, { token: '', rawQuery: '' }))]),
    ...(profile.generic_id === undefined ? [] : [page('/generic', () => genericText(renderers, subject))]),
    ...(profile.cloud_id === undefined ? [] : [page('/cloud', () => cloudText(renderers, subject))]),
    metadata,
  ]
}

function page(path: string, render: () => string): Page {
  try {
    return { path, status: 200, text: render() }
  } catch (error) {
    if (!(error instanceof ServerError)) throw error
    return { path, status: error.statusCode, error: error.message }
  }
}
