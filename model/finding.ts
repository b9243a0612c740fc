// What is wrong in a data directory: the codes of lint, and one finding of it.

import type { Place } from './fault.ts'

/** Every kind of mistake in a data directory; docs/errors.md has a paragraph on each. */
export const LINT_CODES = {
  'PL-2001': 'not readable as JSON',
  'PL-2002': 'wrong type',
  'PL-2003': 'unknown key',
  'PL-2004': 'missing key',
  'PL-2005': 'key written twice',
  'PL-2006': 'id is not the name of the file',
  'PL-2007': 'id written twice',
  'PL-2008': 'file that is not read',
  'PL-2010': 'bad selector',
  'PL-2011': 'label that no machine sends',
  'PL-2012': 'MAC address in two groups',
  'PL-2013': 'tie of two groups',
  'PL-2014': 'group that is never reached',
  'PL-2015': 'two machines in one',
  'PL-2016': 'patterns that overlap',
  'PL-2020': 'missing profile',
  'PL-2021': 'missing template',
  'PL-2022': 'nothing to boot',
  'PL-2023': 'missing asset',
  'PL-2024': 'initrd over 4 GB',
  'PL-2025': 'initrd without a name',
  'PL-2026': 'line break in a script',
  'PL-2027': 'name that leads out of its folder',
  'PL-2028': 'profile that no group uses',
  'PL-2029': 'template that no profile uses',
  'PL-2030': 'bad Ignition config',
  'PL-2031': 'Ignition key that is ignored',
  'PL-2032': 'bad Butane config',
  'PL-2033': 'bad Go template',
  'PL-2034': 'bad nunjucks template',
  'PL-2035': 'value that a template misses',
  'PL-2036': 'bad cloud config',
  'PL-2037': 'secret that anyone can fetch',
  'PL-2038': 'metadata that hides other metadata',
  'PL-2039': 'config that does not do what it seems to say',
  'PL-2040': 'profiles without a group',
  'PL-2041': 'assets that were not looked for',
  'PL-2042': 'template where none is rendered',
  'PL-2043': 'Container Linux Config',
  'PL-2044': 'what was not looked at',
} as const

/** A key of `LINT_CODES`. */
export type LintCode = keyof typeof LINT_CODES

/** One mistake. An error keeps a machine from booting as meant; a warning may be on purpose. */
export type LintFinding = Place & {
  readonly code: LintCode
  readonly severity: 'error' | 'warning'
  /** Below the data directory. */
  readonly file: string
  /** What is wrong, with the value seen. */
  readonly what: string
  /** What to do about it. */
  readonly remedy: string
}
