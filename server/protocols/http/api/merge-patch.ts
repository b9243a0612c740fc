// JSON merge patch, RFC 7396: an object with the fields that change; null removes one.

import { isRecord } from '#model/check.ts'

/** `target` with `patch` merged into it; neither is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch
  const merged: Record<string, unknown> = isRecord(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  }
  return merged
}
