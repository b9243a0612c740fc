// What a config must keep to besides its shape: the rules of Ignition's stable specs, each as a small function over
// plain data. `spec` is the minor number: 4 for 3.4.0.

import { posix } from 'node:path'
import { type Finding, type Report, reportTo } from './findings.ts'
import { resourcesOf } from './resources.ts'
import { diskRules, filesystemRules, luksRules, raidRules } from './rules-storage.ts'
import { belowFileRules, nodeRules, storageRules } from './rules-nodes.ts'
import { duplicateRules } from './rules-duplicates.ts'
import type { Path } from './tree.ts'
import type { IgnitionConfig, Resource, Unit } from './types.ts'
import { parseGoUrl, sourceProblem } from './url.ts'
import { hasInstallSection, unitProblem } from './unit.ts'

/** Everything that the rules of spec 3.`spec` have to say about a config. */
export function checkConfig(config: IgnitionConfig, spec: number): readonly Finding[] {
  const findings: Finding[] = []
  const report = reportTo(findings)
  ignitionRules(config, spec, report)
  for (const { path, resource } of resourcesOf(config)) resourceRules(resource, path, spec, report)
  const storage = config.storage ?? {}
  nodeRules(storage, spec, report)
  belowFileRules(config, report)
  storageRules(storage, spec, report)
  diskRules(storage.disks ?? [], report)
  filesystemRules(storage, spec, report)
  luksRules(storage.luks ?? [], spec, report)
  raidRules(storage.raid ?? [], report)
  unitRules(config, report)
  duplicateRules(config, report)
  return findings
}

function ignitionRules({ ignition = {} }: IgnitionConfig, spec: number, { error, warning }: Report): void {
  for (const [index, { source = '' }] of (ignition.config?.merge ?? []).entries()) {
    const path = ['ignition', 'config', 'merge', index]
    if (spec >= 1) error(path, requiredSourceProblem(source, spec))
  }
  for (const [index, { source = '' }] of (ignition.security?.tls?.certificateAuthorities ?? []).entries()) {
    const path = ['ignition', 'security', 'tls', 'certificateAuthorities', index]
    if (spec >= 1) error(path, requiredSourceProblem(source, spec))
    else if (source === '') error([...path, 'source'], sourceProblem(source, spec))
  }
  for (const name of ['httpProxy', 'httpsProxy'] as const) {
    const text = ignition.proxy?.[name]
    if (text === undefined) continue
    const scheme = parseGoUrl(text)?.scheme
    const path = ['ignition', 'proxy', name]
    if (scheme === undefined) error(path, 'this is not a URL')
    else if (scheme !== 'http' && scheme !== 'https') error(path, 'a proxy has an http: or https: URL')
    else if (scheme === 'http' && name === 'httpsProxy')
      warning('insecure-proxy', path, 'this proxy sees HTTPS over plain HTTP')
  }
}

function requiredSourceProblem(source: string, spec: number): string | undefined {
  return source === '' ? 'a source is wanted' : sourceProblem(source, spec)
}

function resourceRules(resource: Resource, path: Path, spec: number, { error }: Report): void {
  const { compression = '', httpHeaders = [], source, verification } = resource
  if (compression !== '' && compression !== 'gzip') {
    error([...path, 'compression'], `"${compression}" is not known; write gzip or leave it out`)
  }
  if (verification?.hash !== undefined) {
    const at = [...path, 'verification', 'hash']
    // 3.0 asks this of contents only.
    if (source === undefined && (spec >= 1 || path[0] === 'storage')) {
      error(at, 'there is no source to verify')
    }
    error(at, hashProblem(verification.hash, spec))
  }
  if (source !== undefined && source !== '') error([...path, 'source'], sourceProblem(source, spec))
  if (httpHeaders.length > 0) {
    const scheme = parseGoUrl(source ?? '')?.scheme
    if (scheme !== 'http' && scheme !== 'https') {
      error([...path, 'httpHeaders'], 'headers go with http: and https: sources only')
    }
  }
  for (const [index, { name = '', value }] of httpHeaders.entries()) {
    if (name === '') error([...path, 'httpHeaders', index, 'name'], 'a header needs a name')
    if (value === '')
      error([...path, 'httpHeaders', index, 'value'], 'leave the value out to remove the header')
  }
}

function hashProblem(hash: string, spec: number): string | undefined {
  const dash = hash.indexOf('-')
  if (dash < 0) return 'write it as sha512-HEX'
  const digits = HASH_DIGITS.get(hash.slice(0, dash))
  if (digits === undefined || (digits === 64 && spec < 1)) {
    return `"${hash.slice(0, dash)}" is not a hash function that this spec knows`
  }
  return hash.length - dash - 1 === digits ? undefined : `a hash of this function has ${digits} digits`
}

const HASH_DIGITS: ReadonlyMap<string, number> = new Map([
  ['sha512', 128],
  ['sha256', 64],
])

function unitRules({ systemd, storage = {} }: IgnitionConfig, { error, warning }: Report): void {
  const units = systemd?.units ?? []
  const written = new Set<string>()
  for (const [index, unit] of units.entries()) {
    const path = ['systemd', 'units', index]
    const { name = '', contents = '', dropins = [], enabled } = unit
    if (!UNIT_KINDS.has(extensionOf(name))) {
      error([...path, 'name'], `"${name}" does not end like a unit (.service, .mount, .timer, …)`)
    }
    const problem = unitProblem(contents)
    error([...path, 'contents'], problem)
    if (enabled && contents !== '' && problem === undefined && !hasInstallSection(contents)) {
      warning(
        'no-install-section',
        [...path, 'contents'],
        'the unit is enabled, but has no [Install] section',
      )
    }
    if (enabled) warning('no-install-section', [...path, 'contents'], templateWarning(name, units))
    if (contents !== '') written.add(`/etc/systemd/system/${name}`)
    for (const [number, dropin] of dropins.entries()) {
      const at = [...path, 'dropins', number]
      error([...at, 'contents'], unitProblem(dropin.contents ?? ''))
      if (extensionOf(dropin.name ?? '') !== '.conf') {
        error([...at, 'name'], `"${dropin.name ?? ''}" does not end in .conf`)
      }
      if (dropin.contents) written.add(`/etc/systemd/system/${name}.d/${dropin.name ?? ''}`)
    }
  }
  for (const kind of ['files', 'directories', 'links'] as const) {
    for (const [index, node] of (storage[kind] ?? []).entries()) {
      const path = ['storage', kind, index, 'path']
      if (written.has(node.path ?? '')) error(path, 'a systemd unit of this config is written to this path')
    }
  }
}

/** An instance that is enabled takes its [Install] section from the template. */
function templateWarning(name: string, units: readonly Unit[]): string | undefined {
  const [, template] = /^(.+?)@.+?\.service$/.exec(name) ?? []
  if (template === undefined) return undefined
  const contents = units.findLast(unit => unit.name === `${template}@.service`)?.contents ?? ''
  if (contents === '' || unitProblem(contents) !== undefined || hasInstallSection(contents)) return undefined
  return `the unit is enabled, but ${template}@.service has no [Install] section`
}

function extensionOf(name: string): string {
  const base = posix.basename(name)
  const dot = base.lastIndexOf('.')
  return dot < 0 ? '' : base.slice(dot)
}

const UNIT_KINDS: ReadonlySet<string> = new Set(
  [
    'service',
    'socket',
    'device',
    'mount',
    'automount',
    'swap',
    'target',
    'path',
    'timer',
    'snapshot',
    'slice',
  ]
    .concat('scope')
    .map(kind => `.${kind}`),
)
