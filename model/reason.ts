// Why something failed, in our own sentences: what Node, its `fetch` and TLS report are names for programmers (EISDIR, "fetch
// failed", UNABLE_TO_VERIFY_LEAF_SIGNATURE). Where a sentence for one is missing here, its own text is given.

/** The reason of anything thrown, as a clause without a full stop. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]) // of each address of a name
  const { code, cause } = error as SystemError
  const sentence = typeof code === 'string' ? SENTENCES.get(code) : undefined
  if (sentence !== undefined) return sentence(error)
  if (error.name === 'TimeoutError') return 'no answer came in time'
  if (error.message === 'bad port')
    return 'no HTTP client connects to that port: it belongs to another protocol'
  if (error.message === 'fetch failed' && cause !== undefined) return reasonOf(cause)
  return error.message || error.name
}

/** Says whether an error is one that the operating system gave to a system call, or `fetch` for its connection. */
export function isOfSystem(error: unknown): error is Error {
  if (!(error instanceof Error)) return false
  const { code } = error as SystemError
  return (typeof code === 'string' && SENTENCES.has(code)) || error.message === 'fetch failed'
}

/** What errors of Node carry, as far as a sentence names it. */
type SystemError = Error & {
  readonly code?: unknown
  readonly path?: string
  readonly address?: string
  readonly port?: number
  readonly hostname?: string
  readonly host?: string
}

const file = (what: string) => (error: SystemError) => `${error.path ?? 'it'} ${what}`
const at = ({ address, host, port }: SystemError) => {
  const shown = address ?? host ?? 'there'
  return port === undefined ? shown : `${shown.includes(':') ? `[${shown}]` : shown}:${port}`
}
const always = (what: string) => () => what
const unknownAuthority = always('its certificate is signed by an authority that is not known here')

const SENTENCES: ReadonlyMap<string, (error: SystemError) => string> = new Map<
  string,
  (error: SystemError) => string
>([
  // files
  ['ENOENT', file('is not there')],
  ['EISDIR', file('is a directory')],
  ['ENOTDIR', file('is below something that is not a directory')],
  [
    'EACCES',
    ({ path, port, ...rest }) =>
      port === undefined
        ? `permission denied: ${path ?? 'it'}`
        : `permission denied: ${at({ port, ...rest })}`,
  ],
  ['EPERM', ({ path }) => `permission denied: ${path ?? 'it'}`],
  ['EEXIST', file('is there already')],
  ['ENOTEMPTY', file('is not empty')],
  ['EROFS', file('is on a file system that is read-only')],
  ['ENOSPC', always('there is no space left on the disk')],
  ['EDQUOT', always("this user's share of the disk is used up")],
  ['EIO', file('cannot be read or written: the disk gives errors')],
  ['ELOOP', file('leads through too many links')],
  ['ENAMETOOLONG', file('is too long a name')],
  ['ETXTBSY', file('is a program that runs')],
  ['EMFILE', always('this process has too many files open')],
  ['ENFILE', always('this host has too many files open')],
  ['ENOMEM', always('this host has no memory left')],
  ['EBUSY', file('is in use')],
  ['ENODEV', file('is not a device that is there')],
  // connections
  ['ECONNREFUSED', error => `nothing listens at ${at(error)}`],
  ['ECONNRESET', always('the other side closed the connection')],
  ['EPIPE', always('the other side closed the connection')],
  ['UND_ERR_SOCKET', always('the other side closed the connection')],
  ['ETIMEDOUT', error => `${at(error)} does not answer`],
  ['UND_ERR_CONNECT_TIMEOUT', always('no connection was made in time')],
  ['UND_ERR_HEADERS_TIMEOUT', always('no answer came in time')],
  ['UND_ERR_BODY_TIMEOUT', always('the answer stopped before its end')],
  ['EHOSTUNREACH', error => `no route leads to ${at(error)}, or that host is off`],
  ['ENETUNREACH', error => `no route leads to ${at(error)}`],
  ['ENETDOWN', always('the network is down')],
  ['EADDRINUSE', error => `another process has ${at(error)}`],
  ['EADDRNOTAVAIL', error => `${at(error)} is not an address of this host`],
  ['ENOTFOUND', ({ hostname, host }) => `no DNS server knows the name ${hostname ?? host ?? ''}`.trimEnd()],
  [
    'EAI_AGAIN',
    ({ hostname, host }) => `no DNS server answered for the name ${hostname ?? host ?? ''}`.trimEnd(),
  ],
  // what is spoken over them
  ['HPE_INVALID_CONSTANT', always('what answers does not speak HTTP')],
  ['HPE_INVALID_VERSION', always('what answers does not speak HTTP')],
  ['HPE_INVALID_HEADER_TOKEN', always('what answers does not speak HTTP')],
  ['UND_ERR_INVALID_ARG', always('the address is not one that a request can be sent to')],
  ['ERR_SSL_WRONG_VERSION_NUMBER', always('what answers does not speak TLS')],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', always('what answers does not speak TLS')],
  ['EPROTO', always('what answers does not speak TLS')],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', unknownAuthority],
  ['SELF_SIGNED_CERT_IN_CHAIN', unknownAuthority],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', unknownAuthority],
  ['UNABLE_TO_GET_ISSUER_CERT', unknownAuthority],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', unknownAuthority],
  ['CERT_HAS_EXPIRED', always('its certificate is no longer valid')],
  ['CERT_NOT_YET_VALID', always('its certificate is not valid yet: compare the clocks')],
  ['CERT_SIGNATURE_FAILURE', always('the signature of its certificate does not hold')],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    ({ host }) => `its certificate is not for the name ${host ?? 'that was asked for'}`,
  ],
])
