// Butane to Ignition: reads the YAML, unfolds the sugar, checks the result, and says where in the YAML it is wrong.

import {
  type Finding,
  placedFinding,
  type PlacedFinding,
  reportTo,
  type Report,
} from '../ignition/findings.ts'
import { checkInner } from '../ignition/config.ts'
import { isFields, readFields, type Value } from '../ignition/read.ts'
import { checkConfig } from '../ignition/rules.ts'
import { type Node, type Path, placeAt } from '../ignition/tree.ts'
import type { IgnitionConfig } from '../ignition/types.ts'
import { bootDeviceConfig, bootDeviceRules, grubConfig, grubRules } from './boot-device.ts'
import { desugar } from './desugar.ts'
import type { LocalFiles } from './local-files.ts'
import { legacyProblem } from './legacy.ts'
import { mergeConfigs } from './merge.ts'
import { mountUnitOf } from './mount-units.ts'
import { Origins } from './origins.ts'
import { modeRules, partitionRules, reuseRules } from './rules.ts'
import { BUTANE, butaneConfig, HEAD, snakeCase } from './schema.ts'
import { addTrees, type TreeSources } from './trees.ts'
import type { ButaneConfig, SugaredDropin, SugaredFile, SugaredResource, SugaredUnit } from './types.ts'
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
  const place = (findings: readonly Finding[]) => findings.map(finding => placedFinding(finding, root, text))
  const { variant: name, version } = readFields(root, HEAD, BUTANE).fields as ButaneConfig // texts, by the schema
  const variant = variantOf(name ?? '', version ?? '')
  if (typeof variant === 'string') {
    const message = (name === undefined && version === undefined && legacyProblem(root)) || variant
    return { findings: place([{ severity: 'error', path: name ? ['version'] : [], message }]) }
  }
  const read = readFields(root, butaneConfig(variant), BUTANE)
  if (read.findings.some(isError)) return { findings: place(read.findings) }
  const sugared = read.fields as ButaneConfig // what the schema lets through has the shape of the types
  const { config, findings } = unfold(sugared, variant, files)
  const all = place([...read.findings, ...findings.map(inSnakeCase)])
  return all.some(isError) ? { findings: all } : { findings: all, good: { config, spec: variant.spec } }
}

/** A finding whose path has Ignition's way of writing, with that of the YAML. */
function inSnakeCase(finding: Finding): Finding {
  return { ...finding, path: finding.path.map(step => (typeof step === 'string' ? snakeCase(step) : step)) }
}

function isError({ severity }: Finding): boolean {
  return severity === 'error'
}

/**
 * The Ignition config of a Butane config, and all that there is to say of it. As in Butane, a step that finds an error is
 * the last one.
 */
function unfold(
  sugared: ButaneConfig,
  variant: Variant,
  files: LocalFiles,
): { readonly config: IgnitionConfig; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  const report = reportTo(findings)
  const origins = new Origins()
  sourceRules(sugared, variant, report)
  if (findings.some(isError)) return { config: {}, findings }
  const plain = desugar(sugared, { spec: variant.spec, files, report, origins })
  const config = withSugar(plain, sugared, { files, report, origins, spec: variant.spec })
  if (findings.some(isError)) return { config, findings }
  const placed: Finding[] = []
  const result = reportTo(placed)
  if (variant.fcos !== undefined) partitionRules(config.storage?.disks ?? [], variant.fcos, result)
  for (const path of variant.forbids) forbid(config, path, result)
  if (!placed.some(isError)) placed.push(...checkConfig(config, variant.spec))
  const inSource = placed.map(finding => ({ ...finding, path: origins.source(config, finding.path) }))
  return { config, findings: [...findings, ...inSource] }
}

function withSugar(
  plain: IgnitionConfig,
  { bootDevice, grub, storage }: ButaneConfig,
  beside: TreeSources & { readonly spec: number },
) {
  const { origins } = beside
  const units = (storage?.filesystems ?? []).flatMap((filesystem, index) => {
    if (!filesystem.withMountUnit) return []
    const unit = mountUnitOf(filesystem, storage?.luks ?? [], beside.spec)
    origins.all(unit, ['storage', 'filesystems', index, 'withMountUnit'])
    return [unit]
  })
  const mounts: IgnitionConfig = { systemd: { units } }
  origins.all(mounts, ['storage', 'filesystems'])
  const mounted = units.length === 0 ? plain : mergeConfigs(mounts, plain, origins)
  const planted = addTrees(mounted, storage?.trees ?? [], beside)
  const booting = mergeConfigs(bootDeviceConfig(bootDevice ?? {}, origins), planted, origins)
  return mergeConfigs(grubConfig(grub?.users ?? [], origins), booting, origins)
}

/** What must hold of the text as it was written, before anything is made of it. */
function sourceRules(config: ButaneConfig, variant: Variant, report: Report): void {
  const { spec, fcos } = variant
  modeRules(config, report)
  mountRules(config, variant, report)
  sugarRules(config, spec, report)
  if (fcos !== undefined && fcos >= 6) reuseRules(config, report)
  if (config.bootDevice && fcos !== undefined) bootDeviceRules(config.bootDevice, fcos, report)
  grubRules(config.grub?.users ?? [], report)
  for (const [index, { local = '' }] of (config.storage?.trees ?? []).entries()) {
    if (local === '')
      report.error(['storage', 'trees', index], 'local is wanted: a folder of the data directory')
  }
}

function mountRules({ storage }: ButaneConfig, { spec, fcos }: Variant, { error }: Report): void {
  for (const [index, filesystem] of (storage?.filesystems ?? []).entries()) {
    if (!filesystem.withMountUnit) continue
    const { format = '', path = '' } = filesystem
    const at = ['storage', 'filesystems', index]
    if (format === '') error([...at, 'format'], 'a mount unit needs a format')
    if (path === '' && (spec < 3 || (format !== 'swap' && format !== ''))) {
      error([...at, 'path'], 'a mount unit needs a path')
    }
    if (
      fcos !== undefined &&
      fcos >= 6 &&
      filesystem.path !== undefined &&
      !/^\/(?:etc|var)(?:\/|$)/.test(path)
    ) {
      error([...at, 'path'], 'file systems are mounted below /etc and /var only')
    }
  }
}

/** Sources of which there may be one: `local` before `inline` before `source`. */
function sugarRules({ ignition, storage, systemd }: ButaneConfig, spec: number, report: Report): void {
  const authorities = ignition?.security?.tls?.certificateAuthorities ?? []
  const { merge = [], replace } = ignition?.config ?? {}
  const configs: Placed<SugaredResource>[] = [
    ...below(['ignition', 'config', 'merge'], merge),
    ...(replace ? [{ at: ['ignition', 'config', 'replace'], item: replace }] : []),
  ]
  const resources: Placed<SugaredResource>[] = [
    ...configs,
    ...below(['ignition', 'security', 'tls', 'certificateAuthorities'], authorities),
    ...below<SugaredFile>(['storage', 'files'], storage?.files).flatMap(({ at, item }) => [
      ...(item.contents ? [{ at: [...at, 'contents'], item: item.contents }] : []),
      ...below([...at, 'append'], item.append),
    ]),
    ...below(['storage', 'luks'], storage?.luks).flatMap(({ at, item }) =>
      item.keyFile ? [{ at: [...at, 'keyFile'], item: item.keyFile }] : [],
    ),
  ]
  for (const { at, item } of resources) {
    const given = (['source', 'inline', 'local'] as const).filter(name => item[name] !== undefined)
    const [first] = given
    // The first Butane had no local, and pointed to the other one.
    const last = spec === 0 ? 'inline' : first
    if (given.length > 1 && last) report.error([...at, last], 'give one of source, inline and local')
  }
  for (const { at, item } of configs) {
    const isAlone = item.local === undefined && item.source === undefined
    if (spec > 0 && item.inline !== undefined && isAlone) {
      innerRules(item.inline, at, spec, report)
    }
  }
  for (const { at, item } of below<SugaredUnit>(['systemd', 'units'], systemd?.units)) {
    for (const unit of [{ at, item }, ...below<SugaredDropin>([...at, 'dropins'], item.dropins)]) {
      if (unit.item.contents !== undefined && unit.item.contentsLocal !== undefined) {
        report.error([...unit.at, 'contentsLocal'], 'give one of contents and contents_local')
      }
    }
  }
}

type Placed<T> = { readonly at: Path; readonly item: T }

function below<T>(path: Path, list: readonly T[] | undefined): Placed<T>[] {
  return (list ?? []).map((item, index) => ({ at: [...path, index], item }))
}

/** A config inside the config is checked when it is of the same spec; another spec is Ignition's own business. */
function innerRules(text: string, path: Path, spec: number, report: Report): void {
  for (const finding of checkInner(text, spec)) {
    const message = `the config inside, line ${finding.line}: ${finding.message}`
    if (finding.severity === 'error') report.error([...path, 'inline'], message)
    else if (finding.kind === 'inner-version') report.warning(finding.kind, path, message)
    else report.warning(finding.kind, [...path, 'inline'], message)
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
