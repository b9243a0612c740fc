// What rendered objects need of a cluster beside a place for their pods: storage for their claims, and the ConfigMaps and Secrets
// that pods refer to. A pod that lacks one waits for it without end. Pure.

import { parseAllDocuments } from 'yaml'
import { isRecord } from '#model/record.ts'
import type { Values } from '../values/values.ts'
import type { PlacementProblem } from './capacity.ts'

/** A ConfigMap or Secret, as a problem names it. */
export type ObjectName = `${'ConfigMap' | 'Secret'} ${string}`

/** What the objects of one release need, and make. */
export type ObjectNeeds = {
  readonly release: string
  /** Claims for storage; a claim without a class takes the cluster's default. */
  readonly claims: readonly { readonly by: string; readonly class?: string }[]
  /** What pods cannot start without, each with the workload that names it. */
  readonly wanted: readonly { readonly by: string; readonly name: ObjectName }[]
  /** What they make themselves, at once or through another object: a Certificate's Secret. */
  readonly made: readonly ObjectName[]
}

/** What a cluster has. */
export type ClusterObjects = {
  /** Of StorageClasses, and those that ready-made volumes are of. */
  readonly classes: readonly string[]
  readonly hasDefaultClass: boolean
  /** ConfigMaps and Secrets of the plan's namespace. */
  readonly names: ReadonlySet<string>
}

/** The objects of a rendered manifest, which is YAML documents. */
export function objectsIn(manifest: string): Values[] {
  return parseAllDocuments(manifest).flatMap(document => {
    const object: unknown = document.toJS()
    return isRecord(object) ? [object] : []
  })
}

/** What the objects of a release need and make. */
export function needsOf(release: string, objects: readonly Values[]): ObjectNeeds {
  const needs = objects.map(object => {
    const { kind, metadata, spec } = object
    const name = nameIn(metadata)
    const by = `${String(kind)} ${name}`
    const templates = isRecord(spec) ? listIn(spec['volumeClaimTemplates']) : []
    const claims = kind === 'PersistentVolumeClaim' ? [object] : templates
    return {
      claims: claims.map(claim => ({ by, ...classOf(claim) })),
      wanted: podSpecsIn(object)
        .flatMap(referencesOf)
        .map(it => ({ by, name: it })),
      made: madeBy(object, name),
    }
  })
  const unique = new Map(needs.flatMap(it => it.wanted).map(it => [it.name, it]))
  return {
    release,
    claims: needs.flatMap(it => it.claims),
    wanted: [...unique.values()],
    made: needs.flatMap(it => it.made),
  }
}

/** What of these needs neither the plan nor the cluster has. `secrets` are those that the plan makes before its releases. */
export function checkObjects(
  needs: readonly ObjectNeeds[],
  cluster: ClusterObjects,
  secrets: readonly string[],
): PlacementProblem[] {
  const made = new Set<string>([...needs.flatMap(it => it.made), ...secrets.map(name => `Secret ${name}`)])
  made.add('ConfigMap kube-root-ca.crt') // in every namespace, shortly after it is made
  const has = (name: string) => made.has(name) || cluster.names.has(name)
  return needs.flatMap(({ release, claims, wanted }) => [
    ...claims
      .filter(it => (it.class === undefined ? !cluster.hasDefaultClass : !cluster.classes.includes(it.class)))
      .map(it => missingClass(release, it, cluster.classes)),
    ...wanted
      .filter(({ name }) => !has(name))
      .map(({ by, name }) => ({
        release,
        what: `${by} refers to ${name}, which neither a release of the plan makes nor the cluster has`,
        remedy: `Make it in the namespace of the plan, or switch off what needs it in openstack.values.${release}.`,
      })),
  ])
}

function missingClass(
  release: string,
  claim: ObjectNeeds['claims'][number],
  classes: readonly string[],
): PlacementProblem {
  const wanted = claim.class === undefined ? 'the default storage class' : `storage class "${claim.class}"`
  const there = classes.length === 0 ? 'the cluster has none' : `the cluster has ${classes.join(', ')}`
  return {
    release,
    what: `${claim.by} claims a volume of ${wanted}; ${there}`,
    remedy: `Install what provides that class, or name another, or a folder of the node, in openstack.values.${release}.volume.`,
  }
}

function madeBy(object: Values, name: string): ObjectName[] {
  const { kind, spec } = object
  if (kind === 'ConfigMap' || kind === 'Secret') return [`${kind} ${name}`]
  // cert-manager's Certificate, and others that name the Secret that they fill.
  const filled = isRecord(spec) && podSpecsIn(object).length === 0 ? spec['secretName'] : undefined
  return typeof filled === 'string' ? [`Secret ${filled}`] : []
}

/** The pod templates of workloads, jobs and cron jobs; a hook's too. */
function podSpecsIn(object: Values): Values[] {
  const spec = object['spec']
  if (!isRecord(spec)) return []
  if (Array.isArray(spec['containers'])) return isTest(object) ? [] : [spec]
  const inner = isRecord(spec['jobTemplate']) ? spec['jobTemplate']['spec'] : spec
  const template = isRecord(inner) ? inner['template'] : undefined
  const pod = isRecord(template) ? template['spec'] : undefined
  return isRecord(pod) && Array.isArray(pod['containers']) ? [pod] : []
}

/** A pod that only `helm test` makes. */
function isTest({ metadata }: Values): boolean {
  const annotations = isRecord(metadata) && isRecord(metadata['annotations']) ? metadata['annotations'] : {}
  const hook = annotations['helm.sh/hook']
  return typeof hook === 'string' && hook.startsWith('test')
}

function referencesOf(pod: Values): ObjectName[] {
  const volumes = listIn(pod['volumes']).flatMap(volume => [
    ...named('ConfigMap', volume['configMap'], 'name'),
    ...named('Secret', volume['secret'], 'secretName'),
    ...(isRecord(volume['projected']) ? listIn(volume['projected']['sources']) : []).flatMap(source => [
      ...named('ConfigMap', source['configMap'], 'name'),
      ...named('Secret', source['secret'], 'name'),
    ]),
  ])
  const containers = [...listIn(pod['containers']), ...listIn(pod['initContainers'])]
  const variables = containers.flatMap(container => [
    ...listIn(container['envFrom']).flatMap(from => [
      ...named('ConfigMap', from['configMapRef'], 'name'),
      ...named('Secret', from['secretRef'], 'name'),
    ]),
    ...listIn(container['env']).flatMap(({ valueFrom }) =>
      isRecord(valueFrom)
        ? [
            ...named('ConfigMap', valueFrom['configMapKeyRef'], 'name'),
            ...named('Secret', valueFrom['secretKeyRef'], 'name'),
          ]
        : [],
    ),
  ])
  return [...volumes, ...variables]
}

function named(kind: 'ConfigMap' | 'Secret', reference: unknown, key: string): ObjectName[] {
  if (!isRecord(reference) || reference['optional'] === true) return []
  const name = reference[key]
  return typeof name === 'string' && name !== '' ? [`${kind} ${name}`] : []
}

function classOf(claim: Values): { class?: string } {
  const name = isRecord(claim['spec']) ? claim['spec']['storageClassName'] : undefined
  return typeof name === 'string' ? { class: name } : {}
}

function nameIn(metadata: unknown): string {
  return isRecord(metadata) ? String(metadata['name']) : ''
}

function listIn(list: unknown): Values[] {
  return Array.isArray(list) ? list.filter(isRecord) : []
}
