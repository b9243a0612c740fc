// What a change of a release would do: its objects before and after, by object and key. Pure. Nothing secret is shown:
// of Secrets only that they change, and of anything that looks like one only that, too.

import { parseAllDocuments } from 'yaml'
import { isRecord } from '#model/record.ts'
import type { ObjectKey } from '../../kubernetes/objects.ts'
import { SHOWN_NEW } from '../secrets/new-texts.ts'
import { isSecretName } from '../secrets/published.ts'
import { showPath, valueAt, type Values } from '../values/values.ts'

/** How one object changes. */
export type ObjectDiff = {
  /** `Deployment keystone-api`. */
  readonly object: string
  readonly change: 'added' | 'removed' | 'changed'
  /** Of a changed one; keys with what they were and what they become, as text for a person. */
  readonly keys: readonly KeyDiff[]
}

export type KeyDiff = {
  readonly key: string
  readonly before?: string
  readonly after?: string
}

/** What replaces a secret in what is shown. */
const hidden = '•••'
const secretWords = /passw|secret|token|credential|private|transport_url|connection|\bkey$/i

/** Whether the key says that its text is a secret; rather too often, since it is only shown. */
const isHiddenKey = (key: string): boolean => secretWords.test(key) || isSecretName(key)

/** Compares two manifests as Helm writes them: YAML documents. Objects come in the order of kind and name. */
export function diffManifests(before: string, after: string): ObjectDiff[] {
  const [objectsBefore, objectsAfter] = [objectsOf(before), objectsOf(after)]
  const names = [...new Set([...objectsBefore.keys(), ...objectsAfter.keys()])].toSorted()
  return names.flatMap((object): ObjectDiff[] => {
    const [was, now] = [objectsBefore.get(object), objectsAfter.get(object)]
    if (was === undefined) return [{ object, change: 'added', keys: [] }]
    if (now === undefined) return [{ object, change: 'removed', keys: [] }]
    const keys = diffValues(was, now, [], was['kind'] === 'Secret')
    return keys.length === 0 ? [] : [{ object, change: 'changed', keys }]
  })
}

/**
 * The names of the Jobs that both manifests have, with other pods or another count of them. Neither can be changed ("field is
 * immutable"): such a Job is deleted before the upgrade, which makes it anew. Jobs of hooks are not among them, Helm replaces
 * those itself.
 */
export function changedJobs(before: string, after: string): string[] {
  return immutableChanges(before, after, { Job: IMMUTABLE_IN_JOB }).map(({ object }) =>
    object.slice('Job '.length),
  )
}

/** An object with keys that change, and that the API server lets no one change. */
export type ImmutableChange = {
  /** `StatefulSet mariadb-server`. */
  readonly object: string
  readonly key: ObjectKey
  readonly keys: readonly string[]
}

/**
 * What the API server would refuse to change of the objects that both manifests of a release have, as long as they are there; of
 * Jobs see `changedJobs`.
 */
export function refusedChanges(before: string, after: string, namespace: string): ImmutableChange[] {
  return immutableChanges(before, after, IMMUTABLE).map(it => ({
    ...it,
    key: CLUSTER_SCOPED.has(it.key.kind) ? it.key : { namespace, ...it.key },
  }))
}

/** Of the kinds in `IMMUTABLE`. */
const CLUSTER_SCOPED: ReadonlySet<string> = new Set(['ClusterRoleBinding'])

/** What cannot be changed, and how to have it all the same, for a person. */
export function describeRefused({ object, key: { kind, name, namespace }, keys }: ImmutableChange): string {
  const data =
    kind === 'StatefulSet'
      ? ' (its claims and their data stay)'
      : kind === 'PersistentVolumeClaim'
        ? ' (its data are lost)'
        : ''
  const where = namespace === undefined ? '' : ` --namespace ${namespace}`
  return `Kubernetes does not allow a change of ${keys.join(', ')} of ${object}. Leave it as it was, or remove the object${data} and apply again: kubectl delete ${kind.toLowerCase()} ${name}${where}`
}

function immutableChanges(
  before: string,
  after: string,
  immutable: Readonly<Record<string, readonly string[]>>,
): ImmutableChange[] {
  const [objectsBefore, objectsAfter] = [objectsOf(before), objectsOf(after)]
  return [...objectsBefore].flatMap(([object, was]) => {
    const now = objectsAfter.get(object)
    const places = (immutable[String(was['kind'])] ?? []).map(key => key.split('.'))
    const keys = places.filter(
      path => now !== undefined && diffValues(valueAt(was, path), valueAt(now, path), [], false).length > 0,
    )
    return keys.length === 0 ? [] : [{ object, key: keyOf(was), keys: keys.map(path => path.join('.')) }]
  })
}

function keyOf({ apiVersion, kind, metadata }: Values): ObjectKey {
  const { name, namespace } = isRecord(metadata) ? metadata : {}
  return {
    apiVersion: String(apiVersion),
    kind: String(kind),
    name: String(name),
    ...(typeof namespace === 'string' ? { namespace } : {}),
  }
}

/** Of a Job (ValidateJobSpecUpdate of Kubernetes' API validation). */
const IMMUTABLE_IN_JOB = ['template', 'selector', 'completions', 'completionMode', 'podFailurePolicy'].map(
  key => `spec.${key}`,
)

/** What else is immutable, by kind (Kubernetes' API validation of updates); of a claim only its size may grow. */
const IMMUTABLE: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['spec.selector'],
  DaemonSet: ['spec.selector'],
  StatefulSet: ['spec.selector', 'spec.serviceName', 'spec.podManagementPolicy', 'spec.volumeClaimTemplates'],
  PersistentVolumeClaim: ['spec.storageClassName', 'spec.accessModes', 'spec.volumeMode', 'spec.volumeName'],
  Service: ['spec.clusterIP'],
  Secret: ['type'],
  RoleBinding: ['roleRef'],
  ClusterRoleBinding: ['roleRef'],
}

/** The lines of a diff for a person. */
export function describeDiff(diffs: readonly ObjectDiff[]): string[] {
  const signs = { added: '+', removed: '-', changed: '~' } as const
  return diffs.flatMap(({ object, change, keys }) => [
    `${signs[change]} ${object}`,
    ...keys.flatMap(({ key, before, after }) => [
      `    ${key}`,
      ...(before === undefined ? [] : before.split('\n').map(line => `      - ${line}`)),
      ...(after === undefined ? [] : after.split('\n').map(line => `      + ${line}`)),
    ]),
  ])
}

function objectsOf(manifest: string): Map<string, Values> {
  const found = new Map<string, Values>()
  for (const document of parseAllDocuments(manifest)) {
    const object: unknown = document.toJS()
    if (!isRecord(object)) continue
    const { name } = isRecord(object['metadata']) ? object['metadata'] : {}
    found.set(`${String(object['kind'])} ${String(name)}`, object)
  }
  return found
}

function diffValues(was: unknown, now: unknown, path: readonly string[], isSecret: boolean): KeyDiff[] {
  if (isRecord(was) && isRecord(now)) {
    const keys = [...new Set([...Object.keys(was), ...Object.keys(now)])]
    return keys.flatMap(key => diffValues(was[key], now[key], [...path, key], isSecret))
  }
  if (Array.isArray(was) && Array.isArray(now)) return diffLists(was, now, path, isSecret)
  if (JSON.stringify(was) === JSON.stringify(now)) return []
  return [keyDiff(was, now, path, isSecret || isHiddenKey(path.at(-1) ?? ''))]
}

/** Lists of named things (containers, variables, ports) are compared by name, others by place. */
function diffLists(
  was: readonly unknown[],
  now: readonly unknown[],
  path: readonly string[],
  isSecret: boolean,
): KeyDiff[] {
  const [itemsBefore, itemsAfter] = [byName(was), byName(now)]
  return [...new Set([...itemsBefore.keys(), ...itemsAfter.keys()])].flatMap(name => {
    const [before, after] = [itemsBefore.get(name), itemsAfter.get(name)]
    return diffValues(before, after, [...path, name], isSecret || isHiddenKey(name))
  })
}

function byName(list: readonly unknown[]): Map<string, unknown> {
  return new Map(list.map((item, index) => [nameOf(item, index), item]))
}

function nameOf(item: unknown, index: number): string {
  const name = isRecord(item) ? item['name'] : undefined
  return typeof name === 'string' ? name : String(index)
}

function keyDiff(was: unknown, now: unknown, path: readonly string[], isHidden: boolean): KeyDiff {
  const key = showPath(path)
  const shown = (value: unknown) => (isHidden && value !== SHOWN_NEW ? hidden : textOf(value))
  if (!isHidden && typeof was === 'string' && typeof now === 'string' && `${was}${now}`.includes('\n')) {
    const { removed, added } = changedLines(was, now)
    return {
      key,
      ...(removed.length > 0 ? { before: removed.join('\n') } : {}),
      ...(added.length > 0 ? { after: added.join('\n') } : {}),
    }
  }
  return {
    key,
    ...(was === undefined ? {} : { before: shown(was) }),
    ...(now === undefined ? {} : { after: shown(now) }),
  }
}

/** The lines that only one of two texts has. A line that occurs more often in one is listed that many times. */
function changedLines(was: string, now: string): { removed: string[]; added: string[] } {
  const [linesBefore, linesAfter] = [was.split('\n'), now.split('\n')]
  return {
    removed: without(linesBefore, linesAfter).map(hideLine),
    added: without(linesAfter, linesBefore).map(hideLine),
  }
}

function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return lines.filter(line => {
    const at = left.indexOf(line)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}

/** `password = x` of a configuration file, without its value. */
function hideLine(line: string): string {
  const [, key, sign] = /^\s*([\w.-]+)\s*([=:])/.exec(line) ?? []
  if (key !== undefined && sign !== undefined && isHiddenKey(key))
    return `${key} ${sign} ${line.endsWith(` ${SHOWN_NEW}`) ? SHOWN_NEW : hidden}`
  return hideUrlPassword(line)
}

/** A URL needs no name of a user before the password: `redis://:TEXT@host`. */
function hideUrlPassword(text: string): string {
  return text.replaceAll(/:\/\/([^:/@\s]*):[^@\s]+@/g, `://$1:${hidden}@`)
}

/** A value as it is shown: a text line by line, of anything else what is in it, and no secret of either. */
function textOf(value: unknown): string {
  return typeof value === 'string'
    ? value.split('\n').map(hideLine).join('\n')
    : JSON.stringify(withoutSecrets(value), undefined, 2)
}

/** Maps and lists without their secrets: by the key, or by the name of a variable that has a value. */
function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return value === SHOWN_NEW ? value : textOf(value)
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (!isRecord(value)) return value
  const named = typeof value['name'] === 'string' && isHiddenKey(value['name'])
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      typeof inner === 'string' && inner !== SHOWN_NEW && (isHiddenKey(key) || (named && key === 'value'))
        ? hidden
        : withoutSecrets(inner),
    ]),
  )
}
