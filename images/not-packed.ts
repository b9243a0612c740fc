// What stays out of the OpenStack layers although packages bring it: tar's patterns, in which `*` also matches `/`. The root
// image is fetched by every machine and lies in its memory, so what nobody runs is left out.

import { words } from './commands.ts'

const python = './usr/lib/python3/dist-packages'
const libraries = './usr/lib/x86_64-linux-gnu'

/** What the kernel mounts, how the packages were fetched, and what packages keep to be changed and removed. */
const OF_THE_BUILD = words(
  './dev/* ./proc/* ./sys/* ./run/* ./tmp/* ./boot/*',
  './etc/apt/sources.list ./etc/apt/apt.conf.d/99mmdebstrap ./etc/resolv.conf ./etc/hostname',
  './var/cache/* ./var/log/* ./var/lib/apt/* ./var/lib/dpkg/info/* ./var/lib/dpkg/*-old ./var/lib/ucf/*',
)

/** Compilers, headers, and Perl beyond its core: Debian's tools to make packages depend on them, no service does. */
const FOR_DEVELOPERS = words(
  './usr/include ./usr/lib/*.a ./usr/lib/*.o ./usr/bin/x86_64-linux-gnu-* ./usr/lib/bfd-plugins',
  './usr/bin/dpkg-* ./usr/bin/git* ./usr/share/dpkg ./usr/share/perl5 ./usr/bin/gp-*',
  './usr/share/perl/* ./usr/lib/x86_64-linux-gnu/perl/* ./usr/lib/x86_64-linux-gnu/libperl.so*',
  `${libraries}/libgprofng* ${libraries}/libbfd* ${libraries}/libopcodes* ${libraries}/ldscripts ${libraries}/gprofng`,
)

/** MariaDB's tools for the files of stopped servers, at 5 MB each. */
const OF_MARIADB = words(
  './usr/bin/aria_* ./usr/bin/myisam* ./usr/bin/innochecksum ./usr/bin/perror',
  './usr/bin/replace ./usr/bin/resolve_stack_dump',
  './usr/bin/mariadb-binlog ./usr/bin/mariadb-slap ./usr/bin/mariadb-import ./usr/bin/mariadb-conv',
  './usr/bin/mariadb-waitpid ./usr/bin/mariadbd-safe-helper ./usr/bin/innotop',
)

/**
 * Python that no service imports: tests, clients for people, build tools, a type checker, and drivers for clouds and stores
 * that are not ours (their users import them in a `try`). Numpy would be imported, slowly, where it is only optional.
 */
const OF_PYTHON = [
  `${python}/*/tests`,
  ...words(
    'sphinx sphinx_* docutils alabaster snowballstemmer imagesize babel/locale-data',
    'pip pip-* wheel wheel-* setuptools/* mypy mypyc *__mypyc.* mypy_* typed_ast',
    'openstackclient botocore boto boto3 s3transfer numpy grpc google gevent zmq calmjs future PIL',
    'testtools unittest2 testscenarios testresources stestr subunit',
    '*.po django/contrib/*/locale',
  ).map(name => `${python}/${name}`),
  './usr/share/python-babel-localedata',
  `${libraries}/lapack ${libraries}/blas ${libraries}/libgfortran.so*`,
].flatMap(line => words(line))

/**
 * Libraries behind what is left out: Node (only noVNC's build wants it), graph drawing and its picture formats, Ceph.
 */
const OF_LIBRARIES = [
  ...words(
    'libnode.so* libx265* libSvtAv1* libaom* librav1e* libdav1d* libde265* libheif* libavif* liblab_gamut*',
  ),
  ...words(
    'libgvc* libcgraph* libgvpr* libxdot* libcairo* libpango* libgd.so* libX11* libxcb* libXt* libXaw*',
  ),
  ...words('librgw* librbd* librados* libcephfs* ceph libprotobuf* librdkafka*'),
].map(name => `${libraries}/${name}`)

/** Pictures, fonts and sources of the web pages, whose finished form is in `/var/lib/openstack-dashboard`. */
const OF_PAGES = words(
  './usr/share/javascript ./usr/share/nodejs ./usr/share/fonts ./usr/share/X11 ./usr/share/graphviz',
  './var/lib/openstack-dashboard/static/*.svg ./var/lib/openstack-dashboard/static/*.scss',
  './var/lib/openstack-dashboard/static/*.less ./var/lib/openstack-dashboard/static/*.map',
  './var/lib/openstack-dashboard/static/horizon/lib/*/i18n ./usr/bin/node ./usr/share/spice-html5',
)

/** An operating system's own: hardware, start-up, man pages' leftovers. */
const OF_A_SYSTEM = words(
  './usr/lib/udev ./lib/udev ./usr/lib/systemd ./lib/systemd ./usr/bin/systemd* ./usr/bin/udevadm',
  './usr/lib/x86_64-linux-gnu/systemd ./usr/share/ieee-data ./usr/share/sphinx ./usr/share/bash-completion',
  './usr/share/iso-codes ./usr/share/xml/iso-codes ./usr/share/sounds ./usr/share/alsa ./usr/share/zsh ./usr/share/doc-base',
  './usr/share/mime ./usr/share/polkit-1 ./usr/share/snmp ./usr/share/misc/pci.ids ./usr/share/gettext',
)

/** Firmware for other machines than ours: BIOS, and UEFI in its current form, are enough. */
const OF_EMULATORS = words(
  './usr/share/ovmf ./usr/share/OVMF/*.ms.fd ./usr/share/OVMF/*.secboot.fd ./usr/share/OVMF/*snakeoil*',
  './usr/share/OVMF/OVMF_CODE.fd ./usr/share/OVMF/OVMF_VARS.fd ./usr/bin/qemu-system-i386',
  './usr/bin/qemu-system-x86_64-microvm ./usr/bin/qemu-nbd ./usr/bin/qemu-io ./usr/bin/qemu-storage-daemon',
)

/** Everything that stays out of a layer. */
export const NOT_PACKED: readonly string[] = [
  ...OF_THE_BUILD,
  ...FOR_DEVELOPERS,
  ...OF_MARIADB,
  ...OF_PYTHON,
  ...OF_LIBRARIES,
  ...OF_PAGES,
  ...OF_A_SYSTEM,
  ...OF_EMULATORS,
]
