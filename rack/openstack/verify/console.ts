// What a guest's console proves. Pure.

import { GUEST_UP } from './guest-image.ts'

/** What the console says so far of a guest that prints its address. */
export type Heard =
  | { readonly state: 'silent' }
  | { readonly state: 'up' }
  /** It is up, with an address that Neutron did not give it. */
  | { readonly state: 'stranger'; readonly address: string }

/** Reads the console of our own guest, whose port has `address`: the whole line counts, so 10.0.0.1 is not 10.0.0.12. */
export function hearGuest(console: string, address: string): Heard {
  const shown = [...console.matchAll(new RegExp(`^${GUEST_UP} (\\S+)\\s*$`, 'gm'))].map(([, it = '']) => it)
  if (shown.includes(address)) return { state: 'up' }
  const [stranger] = shown
  return stranger === undefined ? { state: 'silent' } : { state: 'stranger', address: stranger }
}

/** Reads the console of any other guest: it is up once a text is there. */
export function hearText(console: string, text: string): Heard {
  return { state: console.includes(text) ? 'up' : 'silent' }
}

/** The last lines of a console, for the message when a guest does not come up. */
export function lastLines(console: string, count = 6): string {
  const lines = console.split(/\r?\n/).filter(line => line.trim() !== '')
  return lines.length === 0 ? 'the console is empty' : lines.slice(-count).join('\n')
}
