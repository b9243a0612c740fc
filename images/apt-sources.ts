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

/** The release whose packages our images are made of. */
export const DEBIAN_SUITE = 'bookworm'

/**
 * Reads apt's source files, either in the one-line style (`*.list`) or as stanzas (`*.sources`): see
 * sources.list(5).
 * Disabled sources, source packages and embedded keys are left out.
 */
export function parseSources(fileName: string, text: string): PackageSource[] {
  return fileName.endsWith('.sources') ? parseStanzas(text) : parseLines(text)
}

/**
 * Those of `sources` that carry Debian's own suites of the release: it, its updates and its security updates.
 */
export function debianSources(sources: readonly PackageSource[]): PackageSource[] {
  const suites = [DEBIAN_SUITE, `${DEBIAN_SUITE}-updates`, `${DEBIAN_SUITE}-security`]
  return sources.filter(source => suites.includes(source.suite) && source.components.includes('main'))
}

/** A source in the one-line style, only with the component `main`. */
export function sourceLine(source: PackageSource): string {
  const options = source.signedBy ? ` [signed-by=${source.signedBy}]` : ''
  return `deb${options} ${source.uri} ${source.suite} main`
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
