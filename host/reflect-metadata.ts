// The part of the `reflect-metadata` polyfill that @peculiar/x509 asks for before it can be imported: a place
// to keep and find values by object and key. Import this file before that package, wherever it is used.

type Metadata = {
  defineMetadata?: (key: unknown, value: unknown, target: object) => void
  getOwnMetadata?: (key: unknown, target: object) => unknown
  getMetadata?: (key: unknown, target: object) => unknown
}

const kept = new WeakMap<object, Map<unknown, unknown>>()
const reflect: Metadata = Reflect

reflect.defineMetadata ??= (key, value, target) => {
  const values = kept.get(target) ?? new Map<unknown, unknown>()
  kept.set(target, values.set(key, value))
}
reflect.getOwnMetadata ??= (key, target) => kept.get(target)?.get(key)
reflect.getMetadata ??= (key, target) => {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const values = kept.get(at)
    if (values?.has(key)) return values.get(key)
  }
  return undefined
}
