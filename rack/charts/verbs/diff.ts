// What `charts apply` would change: of each release the objects that Helm made, against those that the plan gives now.

import {
  describeDiff,
  describeRefused,
  diffManifests,
  refusedChanges,
  type ImmutableChange,
  type ObjectDiff,
} from '../releases/manifests.ts'
import { listReleases, readRecord } from '../releases/records.ts'
import { renderChart } from '../releases/helm.ts'
import { valuesOf, type ReleasePlan } from '../plan/plan.ts'
import { showNewTexts } from '../secrets/new-texts.ts'
import { withSecretTexts } from '../secrets/secret-values.ts'
import { listSecrets, redact, textsOf, withNewTexts, type Secrets } from '../secrets/secrets.ts'
import { withSession, type ChartSession, type SessionOptions } from '../session.ts'
import { withSecretVersions } from '../secrets/versions.ts'

/** What would change of one release. */
export type ReleaseChange = {
  readonly name: string
  /** Helm's current revision; absent when it is not installed. */
  readonly revision?: number
  readonly objects: readonly ObjectDiff[]
  /** Of these the API server would refuse to change, so the release could not be upgraded. */
  readonly refused: readonly ImmutableChange[]
}

/**
 * Compares every release of the session's plan; nothing is changed. Secrets that the next apply makes are shown as «new».
 */
export async function findChanges(options: SessionOptions): Promise<ReleaseChange[]> {
  return withSession(options, [], async session => {
    const kept = await listSecrets(session.stateDirectory)
    const plan = await withSecretVersions(session, kept)
    const deployed = await listReleases(session.api, plan.namespace)
    const texts = { kept: textsOf(kept), next: withNewTexts(plan.secrets, kept) }
    const changes = plan.releases.map(release =>
      changeOf(session, release, deployed.get(release.name), texts),
    )
    return Promise.all(changes)
  })
}

async function changeOf(
  { api, plan, helm, unpack }: ChartSession,
  release: ReleasePlan,
  deployed: { readonly name: string; readonly revision: number } | undefined,
  { kept, next }: { readonly kept: Secrets; readonly next: Secrets },
): Promise<ReleaseChange> {
  const { name } = release
  const { path } = await unpack(release)
  const [after, record] = await Promise.all([
    renderChart(name, path, withSecretTexts(valuesOf(release), next), helm),
    deployed === undefined ? undefined : readRecord(api, plan.namespace, deployed),
  ])
  const objects = diffManifests(record?.manifest ?? '', showNewTexts(after)).map(it =>
    withoutSecrets(it, kept),
  )
  const refused = await stillThere(api, refusedChanges(record?.manifest ?? '', after, plan.namespace))
  return { name, objects, refused, ...(deployed === undefined ? {} : { revision: deployed.revision }) }
}

/** Without those of objects that someone has removed: an upgrade makes them anew. */
export async function stillThere(
  api: ChartSession['api'],
  changes: readonly ImmutableChange[],
): Promise<ImmutableChange[]> {
  const found = await Promise.all(changes.map(({ key }) => api.read(key)))
  return changes.filter((_, index) => found[index] !== undefined)
}

/** The names of keys reveal most secrets; the texts that we know reveal the rest. */
function withoutSecrets(diff: ObjectDiff, secrets: Secrets): ObjectDiff {
  const keys = diff.keys.map(({ key, before, after }) => ({
    key,
    ...(before === undefined ? {} : { before: redact(before, secrets) }),
    ...(after === undefined ? {} : { after: redact(after, secrets) }),
  }))
  return { ...diff, keys }
}

/** The changes as lines for a person. */
export function describeChanges(changes: readonly ReleaseChange[]): string[] {
  const lines = changes.flatMap(({ name, revision, objects, refused }) => {
    if (revision === undefined) return [`${name}: would be installed, ${objects.length} objects`]
    if (objects.length === 0) return []
    return [
      `${name}: revision ${revision} would be followed by another`,
      ...describeDiff(objects).map(line => `  ${line}`),
      ...refused.map(it => `  ! ${describeRefused(it)}`),
    ]
  })
  return lines.length > 0 ? lines : ['nothing would change']
}
