// Where this host takes Debian packages from: read from its own apt configuration, so that an image is built
// from the same mirrors, with the same keys and through the same proxies as everything else on the host.

/** One line of sources.list: where packages of some suites come from. */
export type PackageSource = {
  readonly uri: string
  readonly suite: string
  readonly components: readonly string[]
  /** The keyring named by the source, or nothing for apt's own. */
  readonly signedBy?: string
}

/** A release of Debian whose packages our images are made of. */
export type DebianRelease = 'bookworm' | 'trixie'

const RELEASES: readonly DebianRelease[] = ['bookworm', 'trixie']
/** What follows a release's name in those of its suites. */
const POCKETS = ['', '-updates', '-security']

/**
 * Reads apt's source files, either in the one-line style (`*.list`) or as stanzas (`*.sources`): see
 * sources.list(5).
 * Disabled sources, source packages and embedded keys are left out.
 */
export function parseSources(fileName: string, text: string): PackageSource[] {
  return fileName.endsWith('.sources') ? parseStanzas(text) : parseLines(text)
}

/**
 * Where the packages of `release` come from: those of `sources` that carry its own suites (it, its updates and its
 * security updates). A host whose sources are those of another release takes the same suites of this one from the same
 * places: Debian's mirrors, and what mirrors them, have the releases side by side.
 */
export function debianSources(sources: readonly PackageSource[], release: DebianRelease): PackageSource[] {
  const debian = sources.filter(({ components }) => components.includes('main'))
  const suites = POCKETS.map(pocket => `${release}${pocket}`)
  const own = debian.filter(source => suites.includes(source.suite))
  if (own.length > 0) return own
  return debian.flatMap(source => {
    const pocket = POCKETS.find(it => RELEASES.some(other => source.suite === `${other}${it}`))
    return pocket === undefined ? [] : [{ ...source, suite: `${release}${pocket}` }]
  })
}

/** A source in the one-line style, only with the `components` that an image needs, whatever the host takes of it. */
export function sourceLine(source: PackageSource, components: readonly string[] = ['main']): string {
  const options = source.signedBy ? ` [signed-by=${source.signedBy}]` : ''
  return `deb${options} ${source.uri} ${source.suite} ${components.join(' ')}`
}

/** What apt printed that a mirror does not have. */
export type NotServed = {
  readonly uri: string
  readonly suite: string
  /** The component that is not in the suite; nothing when the mirror lacks the whole suite. */
  readonly component?: string
}

/**
 * What a mirror lacks, by what `apt-get update` printed (its messages in English): a suite without a Release file, or a
 * component that the Release file does not list, which apt calls a warning and which ends the build only at the first
 * package that is not found.
 */
export function notServed(log: string): NotServed | undefined {
  const [, uri, suite] =
    /The repository '(\S+) (\S+) (?:In)?Release' (?:does not have|no longer has) a Release file/.exec(log) ??
    []
  if (uri !== undefined && suite !== undefined) return { uri, suite }
  const [, from, of, component] =
    /as repository '(\S+) (\S+) InRelease' doesn't have the component '([^']+)'/.exec(log) ?? []
  if (from === undefined || of === undefined || component === undefined) return undefined
  return { uri: from, suite: of, component }
}

/** The suite whose signature apt could not check for want of a key, by what it printed. */
export function unknownSigner(log: string): { readonly uri: string; readonly suite: string } | undefined {
  const [, uri, suite] =
    /GPG error: (\S+) (\S+) (?:In)?Release: .*(?:NO_PUBKEY|Missing key|not available)/.exec(log) ?? []
  return uri !== undefined && suite !== undefined ? { uri, suite } : undefined
}

/**
 * What an image build takes over of `apt-config dump`: how packages are fetched (proxies, retries, checks of
 * dates), as `Name "value"` for mmdebstrap's `--aptopt`.
 */
export function fetchOptions(dump: string): string[] {
  return [...dump.matchAll(/^(Acquire::(?:https?|Check-|Retries|ForceIPv4|Languages)\S*) "(.*)";$/gm)]
    .filter(([, name]) => !name!.endsWith('::'))
    .map(([, name, value]) => `${name} "${value}"`)
}

function parseStanzas(text: string): PackageSource[] {
  return text.split(/\n\s*\n/).flatMap(stanza => {
    const lines = stanza.split('\n').filter(line => !line.startsWith('#'))
    const fields = new Map<string, string>()
    let name = ''
    for (const line of lines) {
      const [, key, value] = /^([A-Za-z-]+):\s*(.*)$/.exec(line) ?? []
      if (key !== undefined) fields.set((name = key.toLowerCase()), value ?? '')
      else if (/^\s/.test(line)) fields.set(name, `${fields.get(name) ?? ''} ${line.trim()}`)
    }
    const words = (key: string) => (fields.get(key) ?? '').split(/\s+/).filter(word => word !== '')
    if (!words('types').includes('deb') || /^(no|false|0)$/i.test(fields.get('enabled') ?? '')) return []
    const key = words('signed-by')
    const signedBy = key.length === 1 && key[0]!.startsWith('/') ? { signedBy: key[0]! } : {} // length is 1
    return words('uris').flatMap(uri =>
      words('suites').map(suite => ({ uri, suite, components: words('components'), ...signedBy })),
    )
  })
}

function parseLines(text: string): PackageSource[] {
  return text.split('\n').flatMap(line => {
    const [, options = '', uri, suite, rest = ''] =
      /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line) ?? []
    if (uri === undefined || suite === undefined) return []
    const [, key] = /(?:^|\s)signed-by=(\/\S+)/i.exec(options) ?? []
    return [
      {
        uri,
        suite,
        components: rest.split(/\s+/).filter(word => word !== ''),
        ...(key ? { signedBy: key } : {}),
      },
    ]
  })
}
