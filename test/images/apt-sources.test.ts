// The host's apt configuration, as image builds take it over.

import t from 'tap'

import {
  debianSources,
  fetchOptions,
  notServed,
  parseSources,
  sourceLine,
  unknownSigner,
} from '#images/apt-sources.ts'

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

const suitesOf = (text: string, release: 'bookworm' | 'trixie') =>
  debianSources(parseSources('sources.list', text), release).map(source => sourceLine(source))

t.test('only Debian suites of the release with the component main are taken', async t => {
  const text = [
    'deb http://mirror.example/debian bookworm main # the release',
    'deb [arch=amd64] http://mirror.example/security bookworm-security main contrib',
    'deb http://mirror.example/debian trixie main',
    'deb http://mirror.example/debian trixie-backports main',
    'deb http://vendor.example/sdk sdk-bookworm main',
    'deb http://vendor.example/tool bookworm stable',
    '#deb http://off.example/debian bookworm main',
    'deb-src http://mirror.example/debian bookworm main',
  ].join('\n')
  t.same(suitesOf(text, 'bookworm'), [
    'deb http://mirror.example/debian bookworm main',
    'deb http://mirror.example/security bookworm-security main',
  ])
  t.same(suitesOf(text, 'trixie'), ['deb http://mirror.example/debian trixie main'])
})

t.test('a host of another release takes our suites from the same places', async t => {
  const text = [
    'deb [signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib',
    'deb http://mirror.example/debian bookworm-updates main',
    'deb http://mirror.example/debian bookworm-backports main',
    'deb http://mirror.example/security bookworm-security main',
    'deb http://vendor.example/tool bookworm stable',
  ].join('\n')
  t.same(suitesOf(text, 'trixie'), [
    'deb [signed-by=/k.gpg] http://mirror.example/debian trixie main',
    'deb http://mirror.example/debian trixie-updates main',
    'deb http://mirror.example/security trixie-security main',
  ])
  const [source] = debianSources(parseSources('sources.list', text), 'trixie')
  t.match(sourceLine(source!, ['main', 'non-free-firmware']), /trixie main non-free-firmware$/)
})

t.test('what a mirror lacks is read from the messages of apt', async t => {
  // apt 2.6.1, against a mirror of files without the suite, without the component, and with an unknown key.
  const noSuite = `Err:2 http://mirror.example/debian trixie Release
  404  Not Found [IP: 192.0.2.1 80]
E: The repository 'http://mirror.example/debian trixie Release' does not have a Release file.`
  t.same(notServed(noSuite), { uri: 'http://mirror.example/debian', suite: 'trixie' })
  const noComponent =
    "W: Skipping acquire of configured file 'non-free-firmware/binary-amd64/Packages' as repository " +
    "'http://mirror.example/debian trixie InRelease' doesn't have the component 'non-free-firmware' " +
    '(component misspelt in sources.list?)'
  t.same(notServed(noComponent), {
    uri: 'http://mirror.example/debian',
    suite: 'trixie',
    component: 'non-free-firmware',
  })
  const noKey =
    'W: GPG error: http://mirror.example/debian trixie InRelease: The following signatures ' +
    "couldn't be verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9"
  t.same(unknownSigner(noKey), { uri: 'http://mirror.example/debian', suite: 'trixie' })
  for (const read of [notServed, unknownSigner])
    t.equal(
      read('E: Unable to locate package firmware-bnx2\nE: Release file of http://x is not valid yet'),
      undefined,
    )
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
