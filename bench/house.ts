// The size and shape of the code: files, lines, folders, imports between them, repeated lines, doc comments. For comparing
// two versions. The figures depend on the files alone, so they need no quiet machine.
//
//   node_modules/.bin/node bench/house.ts [CHECKOUT]

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { FLOORS, pointsUp, roomOf } from '../test/floors.ts'

/** Lines that count as said twice. */
const SHARED = 6

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'))
const code = globSync('*/**/*.ts', { cwd: root })
  .filter(file => !/^(node_modules|test|bench|lab-state)\//.test(file))
  .toSorted()
const texts = new Map(code.map(file => [file, readFileSync(join(root, file), 'utf8')]))
const needs = new Map(code.map(file => [file, importsOf(file)]))
const rooms = [...new Set(code.map(file => dirname(file)))]

const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: object
  devDependencies: object
}
const exported = code.flatMap(file => exportsOf(texts.get(file) ?? ''))
console.table({
  files: code.length,
  lines: [...texts.values()].reduce((sum, text) => sum + text.split('\n').length, 0),
  rooms: rooms.length,
  'most files in a room': largestRoom(),
  'pairs of rooms that import each other': mutual(dirname),
  'pairs of top folders that import each other': mutual(file => file.split('/')[0] ?? ''),
  'circles of files': circles(),
  'places that share six or more lines': repeated(),
  'exports with a doc comment': `${exported.filter(Boolean).length} of ${exported.length}`,
  dependencies: Object.keys(dependencies).length,
  'dependencies for development': Object.keys(devDependencies).length,
})

const inside = code.filter(file => file.startsWith('server/'))
const room = (file: string) => roomOf(file) ?? dirname(file)
const arrows = arrowsBetween(inside, room)
console.log('server/, in the rooms that test/floors.ts lists:')
console.table({
  rooms: new Set(inside.map(room)).size,
  floors: FLOORS.length,
  'arrows between rooms': arrows.length,
  'arrows that point up': arrows.filter(([from, to]) => pointsUp(from, to)).length,
  'imports that point up': upward().length,
  'longest function of server/main.ts': longestFunction('server/main.ts'),
})
for (const line of upward()) console.log(`up: ${line}`)

/** Our files that a file imports, types included. */
function importsOf(file: string): string[] {
  const names = (texts.get(file) ?? '').matchAll(/(?:from|import\()\s*'([#.][^']+\.ts)'/g)
  return [...names]
    .map(([, name = '']) => (name.startsWith('#') ? name.slice(1) : join(dirname(file), name)))
    .filter(target => texts.has(target))
}

/** Of each exported declaration, whether a doc comment is above it. */
function exportsOf(text: string): boolean[] {
  const lines = text.split('\n')
  return lines.flatMap((line, at) =>
    /^export (?:async |abstract )*(?:function\*?|class|interface|type|const) /.test(line)
      ? [(lines[at - 1] ?? '').trimEnd().endsWith('*/')]
      : [],
  )
}

/** Which groups import which others, each pair once. */
function arrowsBetween(files: readonly string[], groupOf: (file: string) => string): [string, string][] {
  const found = files.flatMap(file =>
    (needs.get(file) ?? [])
      .filter(target => files.includes(target) && groupOf(file) !== groupOf(target))
      .map(target => `${groupOf(file)} ${groupOf(target)}`),
  )
  return [...new Set(found)].map(pair => pair.split(' ') as [string, string]) // two groups, as was just joined
}

/** The imports of the server that point up. */
function upward(): string[] {
  return inside.flatMap(file =>
    (needs.get(file) ?? [])
      .filter(target => pointsUp(roomOf(file) ?? '', roomOf(target) ?? ''))
      .map(target => `${file} > ${target}`),
  )
}

/** Lines of the longest function at the top level of a file. */
function longestFunction(file: string): number {
  const lines = (texts.get(file) ?? '').split('\n')
  const lengths = lines.map((line, at) => {
    if (!/^(export )?(async )?function/.test(line)) return 0
    return lines.findIndex((later, end) => end > at && later === '}') - at + 1
  })
  return Math.max(0, ...lengths)
}

function largestRoom(): string {
  const sizes = rooms.map(room => ({ room, size: code.filter(file => dirname(file) === room).length }))
  const [largest] = sizes.toSorted((a, b) => b.size - a.size)
  return `${largest?.size} (${largest?.room})`
}

/** How many pairs of groups import each other. */
function mutual(groupOf: (file: string) => string): number {
  const arrows = new Set<string>()
  for (const [file, targets] of needs) {
    for (const target of targets) {
      if (groupOf(file) !== groupOf(target)) arrows.add(`${groupOf(file)} ${groupOf(target)}`)
    }
  }
  const both = [...arrows].filter(arrow => arrows.has(arrow.split(' ').toReversed().join(' ')))
  return both.length / 2
}

function circles(): number {
  let found = 0
  const done = new Set<string>()
  const walk = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) found += 1
    if (way.includes(file) || done.has(file)) return
    for (const target of needs.get(file) ?? []) walk(target, [...way, file])
    done.add(file)
  }
  for (const file of code) walk(file, [])
  return found
}

/** How many runs of six lines or more, imports and brackets not counted, are in another place as well. */
function repeated(): number {
  const places = new Map<string, string[]>()
  for (const [file, text] of texts) {
    const lines = text.split('\n').map(line => line.trim())
    const counted = lines
      .map((line, at) => ({ line, at }))
      .filter(({ line }) => /\w/.test(line) && !/^(import|export \*|\/\/|\*|\/\*)/.test(line))
    for (let at = 0; at + SHARED <= counted.length; at += 1) {
      const key = counted
        .slice(at, at + SHARED)
        .map(({ line }) => line)
        .join('\n')
      places.set(key, [...(places.get(key) ?? []), `${file}:${counted[at]?.at}`])
    }
  }
  // A longer run is found once for each of its beginnings: those that follow one another count as one.
  const starts = new Set([...places.values()].filter(list => list.length > 1).flat())
  return [...starts].filter(start => {
    const [file = '', line = '0'] = start.split(':')
    return ![1, 2, 3].some(back => starts.has(`${file}:${Number(line) - back}`))
  }).length
}
