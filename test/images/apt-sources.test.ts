// The host's apt configuration, as image builds take it over.

import t from 'tap'

import { debianSources, fetchOptions, parseSources, sourceLine } from '#images/apt-sources.ts'

t.test('stanzas are read: several suites, keys, disabled ones left out', async t => {
  const text = [
    '# a comment\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates',
    'Components: main\n contrib\nSigned-By: /usr/share/keyrings/debian.gpg\n',
    'Types: deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n',
    'Enabled: no\nTypes: deb\nURIs: http://other.example/\nSuites: bookworm\nComponents: main',
  ].join('\n')
  const sources = parseSources('debian.sources', text)
  t.same(sources, [
    {
      uri: 'http://mirror.example/debian',
      suite: 'bookworm',
      components: ['main', 'contrib'],
      signedBy: '/usr/share/keyrings/debian.gpg',
    },
    {
      uri: 'http://mirror.example/debian',
      suite: 'bookworm-updates',
      components: ['main', 'contrib'],
      signedBy: '/usr/share/keyrings/debian.gpg',
    },
  ])
  const line = 'deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian bookworm main'
  t.equal(sourceLine(sources[0]!), line)
  t.same(parseSources('again.list', line), [{ ...sources[0], components: ['main'] }])
})

t.test('only Debian suites of the release with the component main are taken', async t => {
  const text = [
    'deb http://mirror.example/debian bookworm main # the release',
    'deb [arch=amd64] http://mirror.example/security bookworm-security main contrib',
    'deb http://mirror.example/debian trixie main',
    'deb http://vendor.example/sdk sdk-bookworm main',
    'deb http://vendor.example/tool bookworm stable',
    '#deb http://off.example/debian bookworm main',
    'deb-src http://mirror.example/debian bookworm main',
  ].join('\n')
  const suites = debianSources(parseSources('sources.list', text)).map(
    source => `${source.uri} ${source.suite}`,
  )
  t.same(suites, [
    'http://mirror.example/debian bookworm',
    'http://mirror.example/security bookworm-security',
  ])
})

t.test('proxies and checks of dates are taken over of apt-config, and lists of hooks are not', async t => {
  const dump = [
    'Acquire "";',
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::IndexTargets::deb::DEP-11::MetaKey "x";',
    'Acquire::Languages "none";',
    'DPkg::Post-Invoke:: "rm -f /var/cache/apt/archives/*.deb";',
  ].join('\n')
  t.same(fetchOptions(dump), [
    'Acquire::http::Proxy "http://proxy.example:3128"',
    'Acquire::Check-Valid-Until "false"',
    'Acquire::Languages "none"',
  ])
})
