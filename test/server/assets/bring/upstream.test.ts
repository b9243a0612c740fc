import t from 'tap'
import { findRelease, type ReadText } from '#server/assets/bring/upstream.ts'

/** Reads from a table, and remembers what was asked for. */
function table(texts: Record<string, string>) {
  const asked: string[] = []
  const read: ReadText = async url => {
    asked.push(url)
    return texts[url]
  }
  return { asked, read }
}

const STABLE = 'https://stable.release.flatcar-linux.net/amd64-usr'
const VERSION = 'FLATCAR_BUILD=4593\nFLATCAR_VERSION=4593.2.0\nFLATCAR_BUILD_ID=""\n'
const SHA512 = 'ab'.repeat(64)

t.test('the newest Flatcar is what version.txt says', async t => {
  const { read } = table({
    [`${STABLE}/current/version.txt`]: VERSION,
    [`${STABLE}/4593.2.0/flatcar_production_pxe.vmlinuz.DIGESTS`]: [
      '# MD5 HASH',
      `${'1'.repeat(32)}  flatcar_production_pxe.vmlinuz`,
      '# SHA512 HASH',
      `${SHA512.toUpperCase()}  flatcar_production_pxe.vmlinuz`,
    ].join('\n'),
  })
  const release = await findRelease('flatcar', { channel: 'stable', version: undefined }, read)
  t.strictSame(release, {
    version: '4593.2.0',
    files: [
      {
        url: `${STABLE}/4593.2.0/flatcar_production_pxe.vmlinuz`,
        name: 'flatcar/4593.2.0/flatcar_production_pxe.vmlinuz',
        signatureUrl: `${STABLE}/4593.2.0/flatcar_production_pxe.vmlinuz.sig`,
        sha512: SHA512,
      },
      {
        url: `${STABLE}/4593.2.0/flatcar_production_pxe_image.cpio.gz`,
        name: 'flatcar/4593.2.0/flatcar_production_pxe_image.cpio.gz',
        signatureUrl: `${STABLE}/4593.2.0/flatcar_production_pxe_image.cpio.gz.sig`,
      },
    ],
  })
})

t.test('a mirror, another architecture and the image for disks are found alike', async t => {
  const { read, asked } = table({ 'http://mirror/f/arm64-usr/4593.2.0/version.txt': VERSION })
  const wish = {
    channel: 'beta',
    version: '4593.2.0',
    arch: 'arm64',
    baseUrl: 'http://mirror/f/',
    withInstallImage: true,
  }
  const { files } = await findRelease('flatcar', wish, read)
  t.equal(files.at(-1)?.url, 'http://mirror/f/arm64-usr/4593.2.0/flatcar_production_image.bin.bz2')
  t.ok(asked.every(url => url.startsWith('http://mirror/f/arm64-usr/')))
})

const COREOS = 'https://builds.coreos.fedoraproject.org'
const BUILD = `${COREOS}/prod/streams/stable/builds/44.20260419.3.1`
const artefact = (file: string, digit: string) => ({
  location: `${BUILD}/x86_64/fedora-coreos-44.20260419.3.1-${file}`,
  signature: `${BUILD}/x86_64/fedora-coreos-44.20260419.3.1-${file}.sig`,
  sha256: digit.repeat(64),
})
const pxe = {
  kernel: artefact('live-kernel.x86_64', '1'),
  initramfs: artefact('live-initramfs.x86_64.img', '2'),
  rootfs: artefact('live-rootfs.x86_64.img', '3'),
}
const raw = { disk: artefact('metal.x86_64.raw.xz', '4') }
const FILES = [
  {
    url: pxe.kernel.location,
    name: 'fedora-coreos/fedora-coreos-44.20260419.3.1-live-kernel-x86_64',
    signatureUrl: pxe.kernel.signature,
    sha256: '1'.repeat(64),
  },
  {
    url: pxe.initramfs.location,
    name: 'fedora-coreos/fedora-coreos-44.20260419.3.1-live-initramfs.x86_64.img',
    signatureUrl: pxe.initramfs.signature,
    sha256: '2'.repeat(64),
  },
  {
    url: pxe.rootfs.location,
    name: 'fedora-coreos/fedora-coreos-44.20260419.3.1-live-rootfs.x86_64.img',
    signatureUrl: pxe.rootfs.signature,
    sha256: '3'.repeat(64),
  },
]

t.test('Fedora CoreOS is found by its stream, and by its version', async t => {
  const stream = {
    stream: 'stable',
    architectures: {
      x86_64: { artifacts: { metal: { release: '44.20260419.3.1', formats: { pxe, 'raw.xz': raw } } } },
    },
  }
  const release = {
    release: '44.20260419.3.1',
    architectures: { x86_64: { media: { metal: { artifacts: { pxe, 'raw.xz': raw } } } } },
  }
  const { read } = table({
    [`${COREOS}/streams/stable.json`]: JSON.stringify(stream),
    [`${BUILD}/release.json`]: JSON.stringify(release),
    'http://mirror/streams/stable.json': JSON.stringify(stream),
  })
  const wish = { channel: 'stable', version: undefined }
  t.strictSame(await findRelease('fedora-coreos', wish, read), { version: '44.20260419.3.1', files: FILES })
  const same = await findRelease('fedora-coreos', { ...wish, version: '44.20260419.3.1' }, read)
  t.strictSame(same, { version: '44.20260419.3.1', files: FILES })
  const withDisk = await findRelease('fedora-coreos', { ...wish, withInstallImage: true }, read)
  t.equal(withDisk.files.at(-1)?.name, 'fedora-coreos/fedora-coreos-44.20260419.3.1-metal.x86_64.raw.xz')
  const mirrored = await findRelease('fedora-coreos', { ...wish, baseUrl: 'http://mirror' }, read)
  t.ok(
    mirrored.files.every(({ url, signatureUrl }) =>
      [url, signatureUrl].every(it => it.startsWith('http://mirror/prod/')),
    ),
  )
  await t.rejects(findRelease('fedora-coreos', { ...wish, arch: 'ppc64le' }, read), {
    code: 'UNKNOWN_RELEASE',
    message: /nothing at "ppc64le"/,
  })
})

t.test('what is not there, or no such thing, is said with its place', async t => {
  const { read } = table({ [`${COREOS}/streams/next.json`]: '<html>' })
  const wishes = [
    ['flatcar', { channel: 'stable', version: '1.2.3' }, /no version 1.2.3/],
    ['flatcar', { channel: 'st/../able', version: undefined }, /channel is/],
    ['fedora-coreos', { channel: 'stable', version: '1' }, /release.json is not there/],
    ['fedora-coreos', { channel: 'next', version: undefined }, /is not JSON/],
  ] as const
  for (const [of, wish, message] of wishes) {
    await t.rejects(async () => findRelease(of, wish, read), { code: 'UNKNOWN_RELEASE', message })
  }
})
