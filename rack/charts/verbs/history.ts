// What was done to a site's releases, and which revisions can come back.

import { listRevisions, type HelmRelease } from '../releases/records.ts'
import { withSession, type SessionOptions } from '../session.ts'
import type { StepRecord } from '../store.ts'

/** Steps, newest first, and Helm's revisions. */
export type History = { readonly steps: readonly StepRecord[]; readonly revisions: readonly HelmRelease[] }

/** Reads the last steps and all revisions, of one release or of all. */
export async function readHistory(
  options: SessionOptions,
  limit: number,
  release?: string,
): Promise<History> {
  return withSession(options, [], async ({ api, plan, store }) => {
    const revisions = await listRevisions(api, plan.namespace)
    return {
      steps: store.steps(limit, release),
      revisions: revisions
        .filter(({ name }) => release === undefined || name === release)
        .toSorted((a, b) => a.name.localeCompare(b.name) || b.revision - a.revision),
    }
  })
}

/** The history as lines for a person, oldest step first. */
export function describeHistory({ steps, revisions }: History): string[] {
  return [
    ...steps
      .toReversed()
      .map(({ at, release, phase, revision, cause }) =>
        [
          new Date(at).toISOString(),
          release.padEnd(12),
          phase.padEnd(8),
          ...(revision === undefined ? [] : [`revision ${revision}`]),
          ...(cause === undefined ? [] : [cause.split('\n')[0]]),
        ].join('  '),
      ),
    ...revisions.map(
      ({ name, revision, status, at }) =>
        `${new Date(at).toISOString()}  ${name.padEnd(12)}  revision ${revision} is ${status}`,
    ),
  ]
}
