// Names of fields as Go's encoding/json compares them.

/** A name without case, by Unicode's simple folding, where the Kelvin sign and ſ are letters of ASCII too. */
export function foldedName(name: string): string {
  return name.replaceAll('\u212a', 'k').replaceAll('\u017f', 's').toLowerCase()
}
