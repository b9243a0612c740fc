// Names that a host can have.

const LONGEST = 253

/** Says whether a text can be the name of a machine or of a site: one label of RFC 1123 §2.1 in lower case, and not this very host. */
export function isHostLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text) && text !== 'localhost'
}

/** Says whether a text is one such label, or several with dots between, at most 253 characters. */
export function isHostName(text: string): boolean {
  return (
    text.length <= LONGEST &&
    text.split('.').every(label => isHostLabel(label) || label === 'localhost') &&
    text !== 'localhost'
  )
}
