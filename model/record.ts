// JSON objects, apart from the other values that JSON has.

/** Says whether a value is a JSON object: neither a list, nor null, nor a scalar. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
