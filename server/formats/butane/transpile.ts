// Butane to Ignition: reads the YAML, unfolds the sugar, checks the result, and says where in the YAML it is wrong.

import { type Finding, type PlacedFinding, reportTo, type Report } from '../ignition/findings.ts'
import { checkIgnition, specOf } from '../ignition/config.ts'
import { isFields, readFields, type Value } from '../ignition/read.ts'
import { checkConfig } from '../ignition/rules.ts'
import { type Node, offsetOf, placeAt } from '../ignition/tree.ts'
import type { IgnitionConfig } from '../ignition/types.ts'
import { bootDeviceConfig, bootDeviceRules, grubConfig, grubRules } from './boot-device.ts'
import { desugar } from './desugar.ts'
import type { LocalFiles } from './local-files.ts'
import { mergeConfigs } from './merge.ts'
import { mountUnitOf } from './mount-units.ts'
import { BUTANE, butaneConfig, HEAD, snakeCase } from './schema.ts'
import { addTrees } from './trees.ts'
import type { ButaneConfig } from './types.ts'
import { type Variant, variantOf } from './variants.ts'
import { BadYaml, parseYaml } from './yaml.ts'

/** A Butane text that was checked. `config` and `spec` are there when nothing is wrong with it. */
export type Transpiled = {
  /** Paths are those of the YAML. */
  readonly findings: readonly PlacedFinding[]
  readonly good?: { readonly config: IgnitionConfig; readonly spec: number }
}

/** Transpiles a Butane config. Pure but for `files`, which reads what the config names beside it. */
export function transpile(text: string, files: LocalFiles): Transpiled {
  let root: Node
  try {
    root = parseYaml(text)
  } catch (error) {
    if (!(error instanceof BadYaml)) throw error
    return {
      findings: [{ severity: 'error', path: [], message: error.message, ...placeAt(text, error.offset) }],
    }
  }
  const place = (findings: readonly Finding[]) =>
    findings.map(finding => {
      const path = finding.path.map(step => (typeof step === 'string' ? snakeCase(step) : step))
      return { ...finding, path, ...placeAt(text, offsetOf(root, path)) }
    })
  const { variant: name, version } = readFields(root, HEAD, BUTANE).fields as ButaneConfig // texts, by the schema
  const variant = variantOf(name ?? '', version ?? '')
  if (typeof variant === 'string') {
    return { findings: place([{ severity: 'error', path: name ? ['version'] : [], message: variant }]) }
  }
  const read = readFields(root, butaneConfig(variant), BUTANE)
  if (read.findings.some(isError)) return { findings: place(read.findings) }
  const sugared = read.fields as ButaneConfig // what the schema lets through has the shape of the types
  const { config, findings } = unfold(sugared, variant, files)
  const all = [...read.findings, ...findings]
  return all.some(isError)
    ? { findings: place(all) }
    : { findings: place(all), good: { config, spec: variant.spec } }
}

function isError({ severity }: Finding): boolean {
  return severity === 'error'
}

/** The Ignition config of a Butane config, and all that there is to say of it. */
function unfold(
  sugared: ButaneConfig,
  variant: Variant,
  files: LocalFiles,
): { readonly config: IgnitionConfig; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  const report = reportTo(findings)
  sugarRules(sugared, variant, report)
  const plain = desugar(sugared, { spec: variant.spec, files, report })
  if (findings.some(isError)) return { config: plain, findings }
  const config = withSugar(plain, sugared, { files, report })
  for (const path of variant.forbids) forbid(config, path, report)
  if (findings.some(isError)) return { config, findings }
  const result = checkConfig(config, variant.spec)
  // Sugar may have moved items in their lists: what the plain part says of itself has the better places.
  const own = result.some(isError) ? checkConfig(plain, variant.spec) : []
  return { config, findings: [...findings, ...(own.some(isError) ? own : result)] }
}

function withSugar(
  plain: IgnitionConfig,
  { bootDevice, grub, storage }: ButaneConfig,
  beside: { readonly files: LocalFiles; readonly report: Report },
): IgnitionConfig {
  const mounts = (storage?.filesystems ?? []).filter(({ withMountUnit }) => withMountUnit)
  const units = mounts.map(filesystem => mountUnitOf(filesystem, storage?.luks ?? []))
  const mounted = units.length === 0 ? plain : mergeConfigs({ systemd: { units } }, plain)
  const planted = addTrees(mounted, storage?.trees ?? [], beside)
  const booting = mergeConfigs(bootDeviceConfig(bootDevice ?? {}), planted)
  return mergeConfigs(grubConfig(grub?.users ?? []), booting)
}

function sugarRules(config: ButaneConfig, { spec, fcos }: Variant, report: Report): void {
  for (const [index, filesystem] of (config.storage?.filesystems ?? []).entries()) {
    if (!filesystem.withMountUnit) continue
    const { format = '', path = '' } = filesystem
    const at = ['storage', 'filesystems', index]
    if (format === '') report.error([...at, 'format'], 'a mount unit needs a format')
    if (path === '' && (spec < 3 || format !== 'swap'))
      report.error([...at, 'path'], 'a mount unit needs a path')
    if (fcos !== undefined && fcos >= 6 && path !== '' && !/^\/(?:etc|var)(?:\/|$)/.test(path)) {
      report.error([...at, 'path'], 'file systems are mounted below /etc and /var only')
    }
  }
  const { merge = [], replace } = config.ignition?.config ?? {}
  const inner = [...merge.entries()].map(([index, resource]) => ({ at: ['merge', index] as const, resource }))
  for (const { at, resource } of [
    ...inner,
    ...(replace ? [{ at: ['replace'] as const, resource: replace }] : []),
  ]) {
    const { inline } = resource as { readonly inline?: string } // sugar: a resource of Butane
    if (inline !== undefined) innerRules(inline, ['ignition', 'config', ...at, 'inline'], spec, report)
  }
  if (config.bootDevice && fcos !== undefined) bootDeviceRules(config.bootDevice, fcos, report)
  grubRules(config.grub?.users ?? [], report)
}

/** A config inside the config is checked when it is of the same spec; another spec is Ignition's own business. */
function innerRules(text: string, path: readonly (string | number)[], spec: number, report: Report): void {
  const { good, findings } = checkIgnition(text)
  if (good !== undefined) return
  const version = /"version"\s*:\s*"([^"]*)"/i.exec(text)?.[1] ?? ''
  const isOther = /^\d+\.\d+\.\d+/.test(version) && specOf(version) !== spec
  for (const finding of findings.filter(isError)) {
    const message = `the config inside, line ${finding.line}: ${finding.message}`
    if (isOther) report.warning(path, message)
    else report.error(path, message)
  }
}

/** Refuses what the variant's OS would not do. */
function forbid(config: IgnitionConfig, path: string, { error }: Report): void {
  const steps = path.split('.')
  const look = (
    value: Value | undefined,
    at: readonly (string | number)[],
    rest: readonly string[],
  ): void => {
    if (Array.isArray(value) && rest.length > 0) {
      for (const [index, item] of (value as Value[]).entries()) look(item, [...at, index], rest)
      return
    }
    const [step, ...after] = rest
    if (step !== undefined) {
      if (isFields(value)) look(value[step], [...at, step], after)
    } else if (hasContent(value)) error(at, 'this variant has no use for it: the OS would ignore it')
  }
  look(config, [], steps)
}

function hasContent(value: Value | undefined): boolean {
  if (value === undefined) return false
  if (Array.isArray(value)) return value.length > 0
  return isFields(value) ? Object.values(value).some(hasContent) : true
}
