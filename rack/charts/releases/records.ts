// What Helm keeps of its releases in the cluster, read without Helm, and the repair of what a killed one leaves behind.

import { gunzipSync } from 'node:zlib'
import { kinds, type KubernetesObject } from '../../kubernetes/objects.ts'
import type { KubernetesClient } from '../../kubernetes/client.ts'
import type { Values } from '../values/values.ts'

/** A revision of a release, as Helm keeps it in the cluster. */
export type HelmRelease = {
  readonly name: string
  readonly revision: number
  /** `deployed`, `superseded`, `failed`, `pending-upgrade` ... */
  readonly status: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** All revisions that are kept of every release in a namespace, in one question. */
export async function listRevisions(api: KubernetesClient, namespace: string): Promise<HelmRelease[]> {
  return revisionsOf(await api.listMetadata({ ...kinds.secret, namespace, labels: 'owner=helm' }))
}

/** The newest revision of every release in a namespace. */
export async function listReleases(
  api: KubernetesClient,
  namespace: string,
): Promise<Map<string, HelmRelease>> {
  return newestReleases(await listRevisions(api, namespace))
}

/** What the labels of Helm's records say. */
export function revisionsOf(records: readonly KubernetesObject[]): HelmRelease[] {
  return records.flatMap(({ metadata }) => {
    const { name, version, status, modifiedAt } = metadata.labels ?? {}
    if (name === undefined || version === undefined || status === undefined) return []
    return [{ name, revision: Number(version), status, at: Number(modifiedAt ?? 0) * 1000 }]
  })
}

/** The newest revision of every release. */
export function newestReleases(revisions: readonly HelmRelease[]): Map<string, HelmRelease> {
  const newest = new Map<string, HelmRelease>()
  for (const one of revisions)
    if (one.revision > (newest.get(one.name)?.revision ?? 0)) newest.set(one.name, one)
  return newest
}

/** What Helm keeps of one revision: the objects that it made, and the values it was given. */
export type HelmRecord = { readonly manifest: string; readonly values: Values }

/** Reads Helm's record of a revision: JSON, packed by gzip, in base64, within a Secret (and that in base64 again). */
export async function readRecord(
  api: KubernetesClient,
  namespace: string,
  { name, revision }: Pick<HelmRelease, 'name' | 'revision'>,
): Promise<HelmRecord | undefined> {
  const key = { ...kinds.secret, namespace, name: recordName(name, revision) }
  const secret = await api.read<{ data?: { release?: string } }>(key)
  if (secret?.data?.release === undefined) return undefined
  const packed = Buffer.from(Buffer.from(secret.data.release, 'base64').toString(), 'base64')
  const record = JSON.parse(gunzipSync(packed).toString()) as { manifest: string; config?: Values }
  return { manifest: record.manifest, values: record.config ?? {} }
}

function recordName(release: string, revision: number): string {
  return `sh.helm.release.v1.${release}.v${revision}`
}

/** Whether a Helm was killed at work on this release: every later one would refuse with "another operation". */
export function isPending(release: HelmRelease | undefined): boolean {
  return release?.status.startsWith('pending-') ?? false
}

/**
 * Repairs a pending release by dropping the record of the attempt. What the killed Helm already made stays: it bears
 * the release's name, so the next attempt takes it over instead of deleting a running database.
 */
export async function dropPending(
  api: KubernetesClient,
  namespace: string,
  release: HelmRelease,
): Promise<void> {
  await api.remove({ ...kinds.secret, namespace, name: recordName(release.name, release.revision) })
}
