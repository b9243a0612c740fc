// What a host must have to build images.

import type { Prerequisite } from '#host/prerequisites.ts'

/** For making a boot medium, besides the images that are on it. */
export const mediumPrerequisites: readonly Prerequisite[] = [
  { command: 'grub-mkimage', package: 'grub-common', why: 'makes the loader of a medium' },
  {
    command: '/usr/lib/grub/i386-pc/boot_hybrid.img',
    package: 'grub-pc-bin',
    why: 'the loader for BIOS',
  },
  {
    command: '/usr/lib/grub/x86_64-efi/linux.mod',
    package: 'grub-efi-amd64-bin',
    why: 'the loader for UEFI',
  },
  { command: 'xorriso', package: 'xorriso', why: 'makes the image' },
  { command: 'mformat', package: 'mtools', why: 'makes its EFI system partition' },
]

export const imagePrerequisites: readonly Prerequisite[] = [
  { root: true, why: 'images are made in mount namespaces and with chroot' },
  { go: '1.26', why: 'Kubernetes, containerd and the other programs are built from Go modules' },
  { gigabytes: 20, why: 'images and their parts, and what Go keeps while it builds' },
  { command: 'mmdebstrap', package: 'mmdebstrap', why: 'makes Debian roots' },
  { command: 'mksquashfs', package: 'squashfs-tools', why: 'packs the live root' },
  { command: 'tar', package: 'tar', why: 'packs image layers' },
  { command: 'unshare', package: 'util-linux', why: 'keeps the mounts of a build apart' },
  { command: 'gcc', package: 'gcc', why: 'builds pause, and the C parts of runc and Ignition' },
  { command: 'pkg-config', package: 'pkg-config', why: 'finds libseccomp for runc' },
  { command: '/usr/include/stdlib.h', package: 'libc6-dev', why: 'the C library of static programs' },
  { command: '/usr/include/blkid/blkid.h', package: 'libblkid-dev', why: 'Ignition reads disk labels' },
  { command: '/usr/include/seccomp.h', package: 'libseccomp-dev', why: 'runc confines system calls' },
  {
    command: '/usr/share/keyrings/debian-archive-keyring.gpg',
    package: 'debian-archive-keyring',
    why: 'checks what Debian signed',
  },
]
