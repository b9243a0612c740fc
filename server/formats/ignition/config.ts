// The entry for callers that have the text of an Ignition config: is it valid, for which spec, and what does it say.

import { checkConfig } from './rules.ts'
import { type Finding, placedFinding, type PlacedFinding } from './findings.ts'
import { BadJson, parseJson } from './json.ts'
import { ignitionDialect, readFields } from './read.ts'
import { CONFIG, NEWEST_SPEC, OLDEST_SPEC } from './schema.ts'
import { type Node, placeAt } from './tree.ts'
import type { IgnitionConfig } from './types.ts'

/** A text that was checked. `config` and `spec` are there when nothing is wrong with it. */
export type CheckedConfig = {
  readonly findings: readonly PlacedFinding[]
  readonly good?: {
    readonly config: IgnitionConfig
    /** Minor number: 4 for 3.4.0. */
    readonly spec: number
  }
}

/**
 * Checks a text against the stable spec that it names (3.0.0 to 3.6.0), as Ignition would before it uses it. Pure:
 * nothing is fetched.
 */
export function checkIgnition(text: string): CheckedConfig {
  if (text === '') return { findings: [{ ...AT_START, message: 'the file is empty' }] }
  let root: Node
  try {
    root = parseJson(text)
  } catch (error) {
    if (!(error instanceof BadJson)) throw error
    return { findings: [{ ...AT_START, message: error.message, ...placeAt(text, error.offset) }] }
  }
  const place = (findings: readonly Finding[]) => findings.map(finding => placedFinding(finding, root, text))
  const { fields: stub } = readFields(root, CONFIG, ignitionDialect(OLDEST_SPEC))
  const version = (stub as IgnitionConfig).ignition?.version // the schema says that it is a text
  const spec = specOf(version ?? '')
  if (spec === undefined) return { findings: place([{ ...VERSION, message: versionProblem(version) }]) }
  const read = readFields(root, CONFIG, ignitionDialect(spec))
  const isRead = read.findings.every(({ severity }) => severity !== 'error')
  const config = read.fields as IgnitionConfig // what the schema lets through has the shape of the types
  const findings = place([...read.findings, ...(isRead ? checkConfig(config, spec) : [])])
  const isGood = findings.every(({ severity }) => severity !== 'error')
  return isGood ? { findings, good: { config, spec } } : { findings }
}

/**
 * What Ignition of spec 3.`spec` says of a config that is inside another one of that spec. One of another spec is left to
 * the machine, with a warning.
 */
export function checkInner(text: string, spec: number): readonly PlacedFinding[] {
  let root: Node
  try {
    root = parseJson(text)
  } catch (error) {
    if (!(error instanceof BadJson)) throw error
    return [{ ...AT_START, message: error.message, ...placeAt(text, error.offset) }]
  }
  const place = (findings: readonly Finding[]) => findings.map(finding => placedFinding(finding, root, text))
  const read = readFields(root, CONFIG, ignitionDialect(spec))
  const errors = read.findings.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) return place(errors)
  const config = read.fields as IgnitionConfig // what the schema lets through has the shape of the types
  const version = config.ignition?.version ?? ''
  if (specOf(version) === spec) return place([...read.findings, ...checkConfig(config, spec)])
  if (!SEMVER.test(version)) {
    return place([{ ...VERSION, message: versionProblem(version) }, ...checkConfig(config, spec)])
  }
  const message = `it is of spec ${version}, not 3.${spec}.0, and was not checked`
  return place([{ severity: 'warning', kind: 'inner-version', path: VERSION.path, message }])
}

const SEMVER = /^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/

/** The minor number of a stable version that we know; undefined for any other. */
export function specOf(version: string): number | undefined {
  const [, minor] = /^0*3\.0*(\d)\.0+$/.exec(version) ?? []
  return minor === undefined || Number(minor) > NEWEST_SPEC ? undefined : Number(minor)
}

const AT_START = { severity: 'error', path: [], line: 1, column: 1 } as const
const VERSION = { severity: 'error', path: ['ignition', 'version'] } as const

function versionProblem(version: string | undefined): string {
  const known = `3.${OLDEST_SPEC}.0 to 3.${NEWEST_SPEC}.0`
  if (version === undefined || version === '') return `a text is wanted here: ${known}`
  return `"${version}" is not a stable version of the Ignition spec; they go from ${known}`
}
