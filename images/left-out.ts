// What stays out of the OpenStack layers although Debian's dependencies would install it. The root image is fetched by every machine
// and takes up its memory, so what is never run is left out: whole packages, and parts of others.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { words } from './commands.ts'

/** Packages that no service here needs; `*` stands for any letters. */
export const UNWANTED_PACKAGES = [
  // Tools to make packages and programs: some packages have parts of them in their dependencies.
  ...words(
    'dpkg-dev libdpkg-perl make patch binutils binutils-* libbinutils libctf* libgprofng0 *-dev icu-devtools',
  ),
  ...words(
    'xz-utils lsb-release rpcsvc-proto python3-pip python3-wheel python3-setuptools python3-mypy mypy',
  ),
  ...words('python3-testtools python3-unittest2 python3-testscenarios python3-testresources python3-subunit'),
  // Node.js, from noVNC, and what Horizon's pages were made of: they are finished when the layer is packed.
  ...words('nodejs libnode* node-* libjs-* fonts-* spice-html5 python3-calmjs* python3-pil python3-future'),
  // Manuals, drawings in them, and the formats of pictures.
  ...words(
    'sphinx-* python3-sphinx python3-docutils python3-alabaster python3-snowballstemmer python3-imagesize',
  ),
  ...words(
    'graphviz libgvc* libgvpr* libcgraph* libcdt* libpathplan* libxdot* liblab-gamut* libgts* python3-pydot',
  ),
  ...words(
    'libgd3 libheif* libavif* libx265* libaom* libsvtav1* librav1e* libdav1d* libde265* libgav1* libyuv*',
  ),
  ...words(
    'libcairo* libpango* libharfbuzz* libraqm* libfontconfig* fontconfig* libthai* libdatrie* libtiff* libwebp*',
  ),
  ...words('x11-* xclip libx11-* libxcb* libxt6 libxaw7 libxmu6 libxext6 libxpm4 libxrender1 libsm6 libice6'),
  // Clients and drivers of clouds and stores that are not used here: their importers do so in a `try`. So is Numpy, whose
  // import takes longer than it saves.
  ...words(
    'python3-openstackclient python3-botocore python3-boto3 python3-s3transfer python3-numpy liblapack3 libblas3',
  ),
  ...words('libgfortran5 libquadmath0 python3-grpcio python3-gevent python3-confluent-kafka librdkafka1'),
  ...words(
    'python3-rbd python3-rados python3-rgw python3-cephfs python3-ceph* librbd1 librados2 librgw2 libcephfs2',
  ),
  ...words('libboost-*'),
  // An operating system's own, which a container has below it.
  ...words(
    'systemd systemd-* libsystemd-shared udev dbus dbus-* polkitd libpam-systemd logrotate openssh-client',
  ),
  ...words('ieee-data iso-codes libasound2-data pci.ids'),
]

/** Parts of other packages: tar's patterns, in which `*` also matches `/`. */
export const UNWANTED_PATHS = words(
  // What the kernel mounts, how packages were fetched, and what is kept to change or remove them.
  './dev/* ./proc/* ./sys/* ./run/* ./tmp/* ./boot/*',
  './etc/apt/sources.list ./etc/apt/apt.conf.d/99mmdebstrap ./etc/resolv.conf ./etc/hostname',
  './var/cache/* ./var/log/* ./var/lib/apt/* ./var/lib/dpkg/info/* ./var/lib/dpkg/*-old ./var/lib/ucf/*',
  './usr/share/bash-completion ./usr/share/zsh ./usr/share/doc-base ./usr/share/X11',
  // Perl beyond its core (keepalived links its library), and MariaDB's tools for files of stopped servers, at 5 MB each.
  './usr/share/perl/* ./usr/share/perl5 ./usr/lib/x86_64-linux-gnu/perl/* ./usr/lib/x86_64-linux-gnu/perl5',
  './usr/bin/aria_* ./usr/bin/myisam* ./usr/bin/innochecksum ./usr/bin/perror ./usr/bin/innotop',
  './usr/bin/replace ./usr/bin/resolve_stack_dump ./usr/bin/mariadb-waitpid ./usr/bin/mariadbd-safe-helper',
  './usr/bin/mariadb-binlog ./usr/bin/mariadb-slap ./usr/bin/mariadb-import ./usr/bin/mariadb-conv',
  // Tests, and sources of translations and pages; of locales, those in English and the root of all.
  './usr/lib/python3/dist-packages/*/tests ./usr/lib/python3/dist-packages/*.po',
  './usr/lib/python3/dist-packages/django/contrib/*/locale',
  './usr/share/python-babel-localedata/locale-data/[!er]*',
  './var/lib/openstack-dashboard/static/horizon/lib/*.svg ./var/lib/openstack-dashboard/static/*.scss',
  './var/lib/openstack-dashboard/static/*.less ./var/lib/openstack-dashboard/static/*.map',
  './var/lib/openstack-dashboard/static/horizon/lib/*/i18n',
  // Firmware for other machines than ours (BIOS, and UEFI in its current form, stay), and QEMU's other programs.
  './usr/share/ovmf ./usr/share/OVMF/*.ms.fd ./usr/share/OVMF/*.secboot.fd ./usr/share/OVMF/*snakeoil*',
  './usr/share/OVMF/OVMF_CODE.fd ./usr/share/OVMF/OVMF_VARS.fd ./usr/share/qemu/*.dtb ./usr/share/qemu/*.lid',
  './usr/share/qemu/openbios-* ./usr/share/qemu/opensbi-* ./usr/share/qemu/s390-* ./usr/share/qemu/skiboot*',
  './usr/share/qemu/slof.bin ./usr/share/qemu/hppa-* ./usr/share/qemu/palcode-* ./usr/share/qemu/npcm*',
  './usr/bin/qemu-system-i386 ./usr/bin/qemu-system-x86_64-microvm ./usr/bin/qemu-nbd ./usr/bin/qemu-io',
  './usr/bin/qemu-storage-daemon ./usr/lib/x86_64-linux-gnu/qemu/audio-* ./usr/lib/x86_64-linux-gnu/qemu/block-rbd.so',
)

/**
 * The paths that only `unwanted` packages brought into a root, as dpkg knows them (`/usr/bin/dot`). A folder among them goes
 * whole: with the bytecode in it, and so that no empty folder can be imported as a package. `roots` are the directories
 * that make the root.
 */
export async function unwantedFiles(
  roots: readonly string[],
  unwanted: readonly string[],
): Promise<string[]> {
  const isGone = anyOf(unwanted)
  const gone = new Set<string>()
  const kept = new Set<string>()
  for (const root of roots) {
    const folder = join(root, 'var/lib/dpkg/info')
    for (const file of await readdir(folder)) {
      const [, name] = /^([^:]+)(?::\w+)?\.list$/.exec(file) ?? []
      if (name === undefined) continue
      const paths = isGone(name) ? gone : kept
      for (const path of (await readFile(join(folder, file), 'utf8')).split('\n')) {
        // Packages may still name the folders which are links into /usr today.
        paths.add(path.replace(/^\/(bin|sbin|lib\w*)\//, '/usr/$1/'))
      }
    }
  }
  return [...gone].filter(path => !kept.has(path)).toSorted()
}

/** Says whether a Debian package is left out of the OpenStack layers, though dpkg's list there has it. */
export const isUnwanted = anyOf(UNWANTED_PACKAGES)

/** Says whether a name fits one of the patterns. */
function anyOf(patterns: readonly string[]): (name: string) => boolean {
  const one = patterns.map(pattern => pattern.replace(/[.+]/g, '\\$&').replaceAll('*', '.*')).join('|')
  const expression = new RegExp(`^(?:${one})$`)
  return name => expression.test(name)
}
