// The pods of OpenStack's charts by Kubernetes' Pod Security standards: restricted, but for those that docs/security.md names.

import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'

t.setTimeout(120_000) // a busy machine takes its time

const ROOT = join(import.meta.dirname, '../..')

type Container = {
  readonly name: string
  readonly securityContext?: {
    readonly privileged?: boolean
    readonly allowPrivilegeEscalation?: boolean
    readonly runAsNonRoot?: boolean
    readonly runAsUser?: number
    readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] }
  }
}
type PodSpec = {
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostIPC?: boolean
  readonly automountServiceAccountToken?: boolean
  readonly securityContext?: { readonly seccompProfile?: { readonly type: string } }
  readonly volumes?: readonly { readonly hostPath?: { readonly path: string } }[]
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
}
type Workload = {
  readonly metadata: { readonly name: string }
  readonly spec?: { readonly template?: { readonly spec: PodSpec } }
}

/** What the standard "restricted" says of capabilities: https://kubernetes.io/docs/concepts/security/pod-security-standards/ */
const RESTRICTED_CAPABILITIES = ['NET_BIND_SERVICE']

const pods = globSync(join(ROOT, 'test/rack/charts/golden/*.yaml')).flatMap(file =>
  parseAllDocuments(readFileSync(file, 'utf8')).flatMap(document => {
    const object = document.toJS() as Workload | null
    const spec = object?.spec?.template?.spec
    return object === null || spec === undefined ? [] : [{ name: object.metadata.name, spec }]
  }),
)

/** The rows of the table of docs/security.md, by the pod's name: what it has, as text. */
const ROW = /^\| `([a-z0-9-]+)` \| openstack \| (.*?) \|/gm
const rows = new Map(
  [...readFileSync(join(ROOT, 'docs/security.md'), 'utf8').matchAll(ROW)].map(
    ([, name = '', has = '']) => [name, has] as const,
  ),
)

t.test('every pod that is more than restricted is in the table of the docs, and no other', async t => {
  const more = pods.filter(({ spec }) => reasons(spec).length > 0).map(({ name }) => name)
  t.ok(pods.length > 25, `${pods.length} pods`)
  t.strictSame(more.toSorted(), [...rows.keys()].filter(name => name !== 'purge').toSorted())
})

t.test('the table says what each has', async t => {
  for (const { name, spec } of pods)
    for (const reason of reasons(spec)) t.match(rows.get(name), reason, `${name}: ${reason}`)
})

t.test('no pod of OpenStack has a token for the API', async t => {
  for (const { name, spec } of pods) t.equal(spec.automountServiceAccountToken, false, name)
})

/** Why a pod breaks the standard "restricted", in the words of the table; nothing when it keeps it. */
function reasons(spec: PodSpec): string[] {
  const found = new Set<string>()
  if (spec.hostNetwork === true) found.add('network')
  if (spec.hostPID === true) found.add('processes')
  if (spec.hostIPC === true) found.add('IPC')
  if (spec.volumes?.some(({ hostPath }) => hostPath !== undefined) === true) found.add('directories')
  if (spec.securityContext?.seccompProfile?.type !== 'RuntimeDefault') found.add('no seccomp')
  for (const { securityContext: it = {} } of [...spec.containers, ...(spec.initContainers ?? [])]) {
    if (it.privileged === true) {
      found.add('privileged')
      continue
    }
    if (it.runAsNonRoot !== true) found.add('root')
    if (it.allowPrivilegeEscalation !== false) found.add('escalation')
    if (it.capabilities?.drop?.includes('ALL') !== true) found.add('capabilities')
    for (const name of it.capabilities?.add ?? [])
      if (!RESTRICTED_CAPABILITIES.includes(name)) found.add(name)
  }
  return [...found]
}
