// What rendered objects need of a cluster beside a place for their pods: storage for their claims, and the objects that pods
// refer to. A pod that lacks one is never made, or waits for it without end. Pure.

import { isRecord } from '#model/record.ts'
import type { KubernetesObject } from '../../kubernetes/objects.ts'
import type { PreflightProblem } from '../errors.ts'
import { mapAt, type Values } from '../values/values.ts'
import { containersOf, mapsIn, nameOf, podTemplateOf, titleOf } from './rendered.ts'

/** What a pod refers to by name. */
type ReferredKind =
  'ConfigMap' | 'Secret' | 'PersistentVolumeClaim' | 'ServiceAccount' | 'PriorityClass' | 'RuntimeClass'

/** One of them, as a problem names it. */
type ObjectName = `${ReferredKind} ${string}`

/** What pods refer to: an object, and of a ConfigMap or Secret perhaps the key. */
type Reference = { readonly name: ObjectName; readonly key?: string }

/** What the objects of one release need, and make. */
export type ObjectNeeds = {
  readonly release: string
  /** Claims for storage; a claim without a class takes the cluster's default. */
  readonly claims: readonly { readonly by: string; readonly class?: string }[]
  /** What pods cannot start without, each with the workload that names it. */
  readonly wanted: readonly (Reference & { readonly by: string })[]
  /**
   * What they make themselves, at once or through another object: a Certificate's Secret. `keys` are those of a ConfigMap or
   * Secret, as far as they are known: a hook's or a Certificate's is filled later.
   */
  readonly made: readonly { readonly name: ObjectName; readonly keys?: readonly string[] }[]
}

/** What a cluster has. */
export type ClusterObjects = {
  /** Of StorageClasses that make volumes, and those that free ready-made volumes are of. */
  readonly classes: readonly string[]
  /** Of StorageClasses that make none, and of which no ready-made volume is free. */
  readonly emptyClasses?: readonly string[]
  readonly hasDefaultClass: boolean
  /** What pods may refer to: of the plan's namespace, and of the whole cluster. */
  readonly names: ReadonlySet<string>
}

/** A StorageClass as the API shows it; only what is read. */
export type StorageClass = {
  readonly metadata: KubernetesObject['metadata'] & {
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly provisioner?: string
}

/** A PersistentVolume, likewise. */
export type Volume = {
  readonly spec?: {
    readonly storageClassName?: string
    /** The claim that has it. */
    readonly claimRef?: { readonly namespace?: string }
  }
  readonly status?: { readonly phase?: string }
}

/** Of which classes claims in a namespace get volumes: of those that make them, and of those that free ones are of. */
export function classesOf(
  namespace: string,
  classes: readonly StorageClass[],
  volumes: readonly Volume[],
): Pick<ClusterObjects, 'classes' | 'emptyClasses' | 'hasDefaultClass'> {
  const isFree = ({ spec, status }: Volume) =>
    !['Released', 'Failed'].includes(status?.phase ?? '') &&
    (spec?.claimRef === undefined || spec.claimRef.namespace === namespace)
  const ready = new Set(volumes.filter(isFree).flatMap(({ spec }) => spec?.storageClassName ?? []))
  const gives = ({ metadata, provisioner }: StorageClass) =>
    provisioner !== NO_PROVISIONER || ready.has(metadata.name)
  return {
    classes: [...new Set([...classes.filter(gives).map(({ metadata }) => metadata.name), ...ready])],
    emptyClasses: classes.filter(it => !gives(it)).map(({ metadata }) => metadata.name),
    hasDefaultClass: classes.some(
      it => it.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true' && gives(it),
    ),
  }
}

/** The provisioner of a class for local volumes, which someone makes by hand (kubernetes.io, Storage Classes, Local). */
const NO_PROVISIONER = 'kubernetes.io/no-provisioner'

/** What the objects of a release need and make. */
export function needsOf(release: string, objects: readonly Values[]): ObjectNeeds {
  const needs = objects.map(object => {
    const by = titleOf(object)
    const pod = podTemplateOf(object)?.spec ?? {}
    const ephemeral = mapsIn(pod['volumes']).map(volume => mapAt(volume, 'ephemeral', 'volumeClaimTemplate'))
    const claims = [
      ...(object['kind'] === 'PersistentVolumeClaim' ? [object] : []),
      ...mapsIn(mapAt(object, 'spec')['volumeClaimTemplates']),
      ...ephemeral.filter(it => isRecord(it['spec'])),
    ]
    return {
      claims: claims.filter(isProvisioned).map(claim => ({ by, ...classOf(claim) })),
      wanted: referencesOf(pod).map(it => ({ by, ...it })),
      made: madeBy(object),
    }
  })
  const unique = new Map(
    needs.flatMap(it => it.wanted).map(it => [`${it.name} ${it.key ?? ''}`, it] as const),
  )
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
): PreflightProblem[] {
  const made = new Map<string, readonly string[] | undefined>(
    [...EVERYWHERE, ...secrets.map(name => `Secret ${name}`)].map(name => [name, undefined]),
  )
  for (const { name, keys } of needs.flatMap(it => it.made)) made.set(name, keys)
  const lacks = ({ name, key }: Reference): string | undefined => {
    if (!made.has(name)) return cluster.names.has(name) ? undefined : name
    const keys = made.get(name)
    return key === undefined || keys === undefined || keys.includes(key) ? undefined : `key ${key} of ${name}`
  }
  return needs.flatMap(({ release, claims, wanted }) => [
    ...claims
      .filter(it => (it.class === undefined ? !cluster.hasDefaultClass : !cluster.classes.includes(it.class)))
      .map(it => missingClass(release, it, cluster)),
    ...wanted.flatMap(({ by, ...reference }) => {
      const missing = lacks(reference)
      if (missing === undefined) return []
      return [
        {
          release,
          what: `${by} refers to ${missing}, which neither a release of the plan makes nor the cluster has`,
          remedy: remedyFor(release, reference.name),
        },
      ]
    }),
  ])
}

/** What every namespace or cluster has, perhaps shortly after it is made. */
const EVERYWHERE: readonly ObjectName[] = [
  'ConfigMap kube-root-ca.crt',
  'ServiceAccount default',
  'PriorityClass system-cluster-critical',
  'PriorityClass system-node-critical',
]

function remedyFor(release: string, name: ObjectName): string {
  const isOfCluster = /^(Priority|Runtime)Class /.test(name)
  const make = isOfCluster ? 'Make it in the cluster' : 'Make it in the namespace of the plan'
  return `${make}, or switch off what needs it in openstack.values.${release}.`
}

function missingClass(
  release: string,
  claim: ObjectNeeds['claims'][number],
  { classes, emptyClasses = [] }: ClusterObjects,
): PreflightProblem {
  if (claim.class !== undefined && emptyClasses.includes(claim.class))
    return {
      release,
      what: `${claim.by} claims a volume of storage class "${claim.class}", which makes none, and no PersistentVolume of it is free`,
      remedy: `Make one of that class, or name another class, or a folder of the node, in openstack.values.${release}.volume.`,
    }
  const wanted = claim.class === undefined ? 'the default storage class' : `storage class "${claim.class}"`
  const there = classes.length === 0 ? 'the cluster has none' : `the cluster has ${classes.join(', ')}`
  return {
    release,
    what: `${claim.by} claims a volume of ${wanted}; ${there}`,
    remedy: `Install what provides that class, or name another, or a folder of the node, in openstack.values.${release}.volume.`,
  }
}

function madeBy(object: Values): ObjectNeeds['made'][number][] {
  const { kind, data, stringData, binaryData } = object
  const name = nameOf(object)
  switch (kind) {
    case 'ConfigMap':
    case 'Secret': {
      const keys = [data, stringData, binaryData].flatMap(it => (isRecord(it) ? Object.keys(it) : []))
      // An empty one is there for a job to fill.
      return [{ name: `${kind} ${name}`, ...(keys.length === 0 ? {} : { keys }) }]
    }
    case 'PersistentVolumeClaim':
    case 'ServiceAccount':
    case 'PriorityClass':
    case 'RuntimeClass':
      return [{ name: `${kind} ${name}` }]
    default: {
      // cert-manager's Certificate, and others that name the Secret that they fill.
      const filled = podTemplateOf(object) === undefined ? mapAt(object, 'spec')['secretName'] : undefined
      return typeof filled === 'string' ? [{ name: `Secret ${filled}` }] : []
    }
  }
}

function referencesOf(pod: Values): Reference[] {
  const volumes = mapsIn(pod['volumes']).flatMap(volume => [
    ...ofVolume('ConfigMap', volume['configMap'], 'name'),
    ...ofVolume('Secret', volume['secret'], 'secretName'),
    ...named('PersistentVolumeClaim', volume['persistentVolumeClaim'], 'claimName'),
    ...mapsIn(mapAt(volume, 'projected')['sources']).flatMap(source => [
      ...ofVolume('ConfigMap', source['configMap'], 'name'),
      ...ofVolume('Secret', source['secret'], 'name'),
    ]),
  ])
  const variables = containersOf(pod).flatMap(container => [
    ...mapsIn(container['envFrom']).flatMap(from => [
      ...named('ConfigMap', from['configMapRef'], 'name'),
      ...named('Secret', from['secretRef'], 'name'),
    ]),
    ...mapsIn(container['env']).flatMap(variable => {
      const from = mapAt(variable, 'valueFrom')
      return [
        ...ofKey('ConfigMap', from['configMapKeyRef'], 'name', 'key'),
        ...ofKey('Secret', from['secretKeyRef'], 'name', 'key'),
      ]
    }),
  ])
  return [
    ...named('ServiceAccount', pod, 'serviceAccountName'),
    ...named('PriorityClass', pod, 'priorityClassName'),
    ...named('RuntimeClass', pod, 'runtimeClassName'),
    ...volumes,
    ...variables,
  ]
}

function named(kind: ReferredKind, reference: unknown, key: string): Reference[] {
  if (!isRecord(reference) || reference['optional'] === true) return []
  const name = reference[key]
  return typeof name === 'string' && name !== '' ? [{ name: `${kind} ${name}` }] : []
}

/** With the key of it that is read. */
function ofKey(kind: ReferredKind, reference: unknown, name: string, key: string): Reference[] {
  const read = isRecord(reference) ? reference[key] : undefined
  return named(kind, reference, name).map(it => (typeof read === 'string' ? { ...it, key: read } : it))
}

/** A volume of an object's keys: of all, or of those that it lists. */
function ofVolume(kind: ReferredKind, reference: unknown, name: string): Reference[] {
  const items = isRecord(reference) ? mapsIn(reference['items']) : []
  return [
    ...named(kind, reference, name),
    ...items.flatMap(item => ofKey(kind, { ...(reference as Values), ...item }, name, 'key')),
  ]
}

/** A claim with a `volumeName` takes that volume, and an empty class one that is there already: the class is then no matter. */
function isProvisioned(claim: Values): boolean {
  const { volumeName, storageClassName } = mapAt(claim, 'spec')
  return volumeName === undefined && storageClassName !== ''
}

function classOf(claim: Values): { class?: string } {
  const name = mapAt(claim, 'spec')['storageClassName']
  return typeof name === 'string' ? { class: name } : {}
}
