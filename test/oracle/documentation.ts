// The examples of Butane's and Ignition's own documentation, read from the sources that Go has in its module cache.

import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Question } from './judge.ts'

/** The modules whose pages are read, as they are called in Go's cache. */
const MODULES = ['github.com/coreos/butane@v0.29.0', 'github.com/coreos/ignition/v2@v2.26.0']

/** Every config in a fence of the pages; none where Go or its cache is not there. */
export function documentedConfigs(filesDir: string): Question[] {
  let cache: string
  try {
    cache = execFileSync('go', ['env', 'GOMODCACHE'], { encoding: 'utf8' }).trim()
  } catch {
    return []
  }
  return MODULES.flatMap(module =>
    globSync(join(cache, module, 'docs/*.md'))
      .toSorted()
      .flatMap(page => fencesOf(readFileSync(page, 'utf8')))
      .flatMap(({ language, text }): Question[] => {
        if (language === 'yaml' && text.includes('variant:')) return [{ butane: true, text, filesDir }]
        return language === 'json' && text.includes('"ignition"') ? [{ butane: false, text }] : []
      }),
  )
}

function fencesOf(page: string): { readonly language: string; readonly text: string }[] {
  return [...page.matchAll(/^```(\w+)[^\n]*\n(.*?)^```/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }))
}
