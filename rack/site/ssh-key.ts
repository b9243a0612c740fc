// A public key of OpenSSH as one line: what it is, or why it is none. Nothing of what is wrong is repeated, for it may be a secret.

/** A key that may be trusted: its type and its bytes in base64, and the comment behind them. */
export type SshKey = { readonly type: string; readonly blob: string; readonly comment: string }

/** Why a text is not a key, and what to do. */
export type NoKey = { readonly what: string; readonly remedy: string }

/** Bits of RSA keys that are taken: fewer can be broken, more take sshd seconds. */
export const RSA_BITS = { least: 2048, most: 8192 } as const

const PUBLIC_HALF = 'give the one line of the file that ends with .pub, for example  ssh-ed25519 AAAA… name'

/**
 * Reads a line of the form `TYPE BASE64 [COMMENT]` (sshd(8), "AUTHORIZED_KEYS FILE FORMAT", without options), whose bytes must be
 * a key of that type and nothing more (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4; PROTOCOL.u2f of OpenSSH).
 */
export function parseSshKey(given: string): SshKey | NoKey {
  const text = given.replace(/^\s+|\s+$/g, '')
  const secret = secretIn(text)
  if (secret !== undefined) return secret
  if (/[\n\r\t]/.test(text))
    return { what: 'is more than one line', remedy: 'write each key as an item of the list' }
  const [type = '', blob = '', ...words] = text.split(/ +/)
  if (type === '') return { what: 'is empty', remedy: PUBLIC_HALF }
  if (/-cert-v\d\d@openssh\.com$/.test(type))
    return { what: 'is a certificate, and keys are wanted', remedy: 'give the key that it is of' }
  if (type === 'ssh-dss') return { what: 'is a DSA key, which OpenSSH does not take', remedy: NEW_KEY }
  const check = TYPES.get(type)
  if (check === undefined) {
    const isOptions = text.split(' ').some(word => TYPES.has(word))
    return isOptions
      ? { what: 'has options before the key, and none are taken', remedy: 'write only  TYPE KEY COMMENT' }
      : { what: `is not a key of ${[...TYPES.keys()].join(', ')}`, remedy: PUBLIC_HALF }
  }
  const bytes = Buffer.from(blob, 'base64')
  const what = `is not a whole key of the type ${type}`
  if (blob === '' || bytes.toString('base64') !== blob)
    return { what, remedy: `copy it whole: ${PUBLIC_HALF}` }
  const parts = partsOf(bytes)
  if (parts === undefined || textOf(parts[0]) !== type)
    return { what, remedy: `copy it whole: ${PUBLIC_HALF}` }
  const wrong = check(parts.slice(1))
  if (wrong === 'not whole') return { what, remedy: `copy it whole: ${PUBLIC_HALF}` }
  if (wrong !== undefined) return { what: wrong, remedy: NEW_KEY }
  return { type, blob, comment: words.join(' ') }
}

const NEW_KEY = 'make another:  ssh-keygen -t ed25519'

/** What must not be in a site file at all, or in another form. */
function secretIn(text: string): NoKey | undefined {
  const known =
    'anyone who reads this file has it now: make another,  ssh-keygen -t ed25519 , and give the file that ends with .pub'
  // The base64 of "openssh-key-v1", and of the DER of other private keys behind their first line, which may be missing.
  if (/PRIVATE KEY|PuTTY-User-Key-File|b3BlbnNzaC1rZXktdjE|^MII[A-Za-z0-9+/=\s]{200,}$/.test(text))
    return { what: 'is a private key', remedy: known }
  if (/BEGIN SSH2 PUBLIC KEY/.test(text))
    return { what: 'is in the format of RFC 4716', remedy: 'convert it:  ssh-keygen -i -f FILE' }
  if (/BEGIN (?:RSA )?PUBLIC KEY/.test(text))
    return { what: 'is in PEM', remedy: 'convert it:  ssh-keygen -i -m PKCS8 -f FILE' }
  return undefined
}

type Parts = readonly Uint8Array[]
type Check = (parts: Parts) => string | undefined

const CURVES = { nistp256: 65, nistp384: 97, nistp521: 133 } as const

const ed25519: Check = ([key, ...more]) => (more.length === 0 && key?.length === 32 ? undefined : 'not whole')
const rsa: Check = ([exponent, modulus, ...more]) => {
  if (more.length > 0 || !isPositive(exponent) || !isPositive(modulus)) return 'not whole'
  const [first = 0] = modulus[0] === 0 ? modulus.subarray(1) : modulus
  const bits = (modulus[0] === 0 ? modulus.length - 1 : modulus.length) * 8 - Math.clz32(first) + 24
  if (bits >= RSA_BITS.least && bits <= RSA_BITS.most) return undefined
  return `has ${bits} bits, and RSA keys of ${RSA_BITS.least} to ${RSA_BITS.most} are taken`
}
const ecdsa =
  (curve: keyof typeof CURVES): Check =>
  ([name, point, ...more]) =>
    more.length === 0 && textOf(name) === curve && point?.length === CURVES[curve] && point[0] === 4
      ? undefined
      : 'not whole'
/** A key in a device, which has the name of the application behind it. */
const inDevice =
  (key: Check): Check =>
  parts =>
    textOf(parts.at(-1)).startsWith('ssh:') ? key(parts.slice(0, -1)) : 'not whole'

const TYPES: ReadonlyMap<string, Check> = new Map([
  ['ssh-ed25519', ed25519],
  ['ecdsa-sha2-nistp256', ecdsa('nistp256')],
  ['ecdsa-sha2-nistp384', ecdsa('nistp384')],
  ['ecdsa-sha2-nistp521', ecdsa('nistp521')],
  ['ssh-rsa', rsa],
  ['sk-ssh-ed25519@openssh.com', inDevice(ed25519)],
  ['sk-ecdsa-sha2-nistp256@openssh.com', inDevice(ecdsa('nistp256'))],
])

/** An integer of RFC 4251 §5 that is greater than zero. */
function isPositive(integer: Uint8Array | undefined): integer is Uint8Array {
  const [first, second = 0] = integer ?? []
  if (first === undefined || first >= 128) return false
  return first > 0 || second >= 128
}

/** The strings of RFC 4251 §5 that a text of bytes consists of; undefined where it is cut short. */
function partsOf(bytes: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < 4) return undefined
    const length = view.getUint32(at)
    if (bytes.length - at - 4 < length) return undefined
    parts.push(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return parts
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('latin1')
}
