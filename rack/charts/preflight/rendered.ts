// Objects as a chart renders them: which of them an installation makes, and the pods that they would make. Pure.

import { parseAllDocuments } from 'yaml'
import { isRecord } from '#model/record.ts'
import { mapAt, type Values } from '../values/values.ts'

/** The objects of one release. */
export type ReleaseObjects = { readonly release: string; readonly objects: readonly Values[] }

/** The pods of one object: their spec and labels. */
type PodTemplate = { readonly spec: Values; readonly labels: Readonly<Record<string, string>> }

/** The objects of a rendered manifest, which is YAML documents, without those that only a test or a removal makes. */
export function objectsIn(manifest: string): Values[] {
  return parseAllDocuments(manifest).flatMap(document => {
    const object: unknown = document.toJS()
    return isRecord(object) && isInstalled(object) ? [object] : []
  })
}

/** The pod of a Pod, a workload, a job or a cron job; nothing of others, and of a cron job that is suspended. */
export function podTemplateOf(object: Values): PodTemplate | undefined {
  const spec = mapAt(object, 'spec')
  const holder =
    object['kind'] === 'Pod'
      ? object
      : mapAt(isRecord(spec['jobTemplate']) ? mapAt(spec, 'jobTemplate', 'spec') : spec, 'template')
  const pod = mapAt(holder, 'spec')
  if (!Array.isArray(pod['containers']) || spec['suspend'] === true) return undefined
  return { spec: pod, labels: labelsIn(mapAt(holder, 'metadata', 'labels')) }
}

/** The containers of a pod, with those that run before. */
export function containersOf(pod: Values): Values[] {
  return [...mapsIn(pod['containers']), ...mapsIn(pod['initContainers'])]
}

/** `Deployment nova-scheduler`, for a person. */
export function titleOf(object: Values): string {
  return `${String(object['kind'])} ${nameOf(object)}`
}

export function nameOf(object: Values): string {
  const { name } = mapAt(object, 'metadata')
  return typeof name === 'string' || typeof name === 'number' ? `${name}` : ''
}

export function mapsIn(list: unknown): Values[] {
  return Array.isArray(list) ? list.filter(isRecord) : []
}

/** The entries of a map whose values are texts: labels, selectors. */
export function labelsIn(map: Values): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, String(value)]))
}

/** `app=nova role=api`, for a person. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')
}

/** Whether labels have all that a selector wants. An empty selector selects nothing: the API makes no endpoints for it. */
export function isSelected(
  labels: Readonly<Record<string, string>>,
  selector: Readonly<Record<string, string>>,
): boolean {
  const wanted = Object.entries(selector)
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
}

/** Without a hook, or one of Helm's that runs when a release is installed or upgraded. */
function isInstalled(object: Values): boolean {
  const hook = mapAt(object, 'metadata', 'annotations')['helm.sh/hook']
  return typeof hook !== 'string' || /\b(pre|post)-(install|upgrade)\b/.test(hook)
}
