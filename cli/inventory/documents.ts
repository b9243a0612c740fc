// The files of `apply`, `diff` and `delete -f`: YAML or JSON, several documents in each, every value with its place.

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isMap, isNode, isSeq, LineCounter, parseAllDocuments, type Node, type YAMLMap } from 'yaml'
import { Failure } from '#model/error.ts'
import { KINDS, type Kind } from '#model/kinds.ts'
import { nearest } from '#model/nearest.ts'
import { yamlFault } from '#model/yaml-fault.ts'
import { API_VERSION } from '../terminal/show.ts'

/** An object as a user wrote it: only its kind is checked. */
export type WrittenObject = {
  readonly kind: Kind
  /** What it says its id is. */
  readonly id: string
  readonly object: Readonly<Record<string, unknown>>
  /** `file:line:column` of the value at a JSON pointer into the object. */
  place(pointer: string): string
}

/**
 * The objects of a file, of all `.yaml`, `.yml` and `.json` files below a directory, or of the standard input (`-`).
 *
 * @throws {Failure} BAD_INPUT with file, line and column; also when there is none, since an empty file is a slip
 */
export function readObjects(source: string): WrittenObject[] {
  const objects = objectsOf(source)
  if (objects.length === 0)
    throw new Failure('BAD_INPUT', `${source === '-' ? 'the input' : source} holds no object`, REMEDY)
  return objects
}

function objectsOf(source: string): WrittenObject[] {
  if (source === '-') return objectsIn('-', readFileSync(0, 'utf8'))
  if (statSync(source, { throwIfNoEntry: false })?.isDirectory() !== true)
    return objectsIn(source, textOf(source))
  const names = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(name => /\.(?:ya?ml|json)$/.test(name))
    .toSorted()
  if (names.length === 0)
    throw new Failure('BAD_INPUT', `${source} holds no .yaml, .yml or .json file`, REMEDY)
  return names.flatMap(name => objectsIn(join(source, name), textOf(join(source, name))))
}

const REMEDY =
  'an object is written like  {kind: group, id: spare, profile: live}  as "get groups -o yaml" shows'
const NO_KIND = `${REMEDY}; a data directory goes in with  pilotlight import DIR`

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Failure('BAD_INPUT', `${path} cannot be read`, 'name a file, a directory, or - for the input', {
      cause,
    })
  }
}

/** The objects of one text; `file` is for messages. */
export function objectsIn(file: string, text: string): WrittenObject[] {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false })
  const placeAt = (offset: number) => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  if (!Array.isArray(documents)) return [] // an empty text
  return documents.flatMap(document => {
    const [error] = document.errors
    if (error !== undefined) {
      const remedy = 'fix it there: check indentation, quotes and brackets'
      throw new Failure('BAD_INPUT', `${placeAt(error.pos[0])}: ${yamlFault(error)}`, remedy)
    }
    const { contents } = document
    if (contents === null) return []
    return nodesIn(contents).map(node => objectOf(node, placeAt))
  })
}

/** What a document lists: itself, the items of a sequence, or those of `{apiVersion, items}` as `get -o json` prints it. */
function nodesIn(contents: Node): Node[] {
  const items = isMap(contents) && !contents.has('kind') ? contents.get('items', true) : contents
  return isSeq(items) ? items.items.filter(isNode) : [contents]
}

function objectOf(node: Node, placeAt: (offset: number) => string): WrittenObject {
  const start = placeAt(node.range?.[0] ?? 0)
  if (!isMap(node))
    throw new Failure('BAD_INPUT', `${start}: no object, but ${node.toString().slice(0, 40)}`, REMEDY)
  const { apiVersion = API_VERSION, kind, ...object } = node.toJSON() as Record<string, unknown> // a map gives an object
  if (apiVersion !== API_VERSION)
    throw new Failure(
      'BAD_INPUT',
      `${start}: apiVersion is ${JSON.stringify(apiVersion)}`,
      `write ${API_VERSION}, or leave it out`,
    )
  if (kind === undefined && 'machines' in object && 'network' in object)
    throw new Failure(
      'BAD_INPUT',
      `${start}: this is a site file, and apply takes objects`,
      `pilotlight up ${start.replace(/:\d+:\d+$/, '')}`,
    )
  if (!KINDS.includes(kind as Kind))
    throw new Failure('BAD_INPUT', `${start}: ${kindProblem(kind)}`, kind === undefined ? NO_KIND : REMEDY)
  const id = kind === 'machine' ? object.name : object.id
  if (typeof id !== 'string' || id === '') {
    const key = kind === 'machine' ? 'name' : 'id'
    throw new Failure('BAD_INPUT', `${start}: the ${String(kind)} has no ${key}`, REMEDY)
  }
  return { kind: kind as Kind, id, object, place: pointer => placeAt(offsetOf(node, pointer)) } // one of KINDS
}

function kindProblem(kind: unknown): string {
  if (kind === undefined) return `"kind" is missing; it is one of ${KINDS.join(' ')}`
  const meant = typeof kind === 'string' ? nearest(kind, KINDS) : undefined
  const known = meant === undefined ? `it is one of ${KINDS.join(' ')}` : `did you mean "${meant}"?`
  return `kind is ${JSON.stringify(kind)}; ${known}`
}

/** Where the value at a JSON pointer begins, or what is nearest above it. */
function offsetOf(map: YAMLMap, pointer: string): number {
  const steps = pointer.split('/').slice(1)
  for (let depth = steps.length; depth > 0; depth -= 1) {
    const path = steps.slice(0, depth).map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    const found = map.getIn(path, true)
    if (isNode(found) && found.range) return found.range[0]
  }
  return map.range?.[0] ?? 0
}
