// What a host must have beside that to run every test.

import type { Prerequisite } from '#host/prerequisites.ts'
import { mediumPrerequisites } from '#images/prerequisites.ts'

/** For running every test: independent peers, and what looks at results as a user would. */
export const testPrerequisites: readonly Prerequisite[] = [
  ...mediumPrerequisites,
  { command: 'atftp', package: 'atftp', why: 'an independent TFTP client' },
  { command: 'dnsmasq', package: 'dnsmasq-base', why: 'an independent DHCP and TFTP server' },
  { command: 'udhcpc', package: 'udhcpc', why: 'an independent DHCP client' },
  { command: 'openssl', package: 'openssl', why: 'judges the certificates' },
  { command: 'curl', package: 'curl', why: 'asks the API as an operator would' },
  { command: 'jq', package: 'jq', why: 'reads answers, in commands of the pages' },
  { command: 'age', package: 'age', why: 'opens backups and bundles, in commands of the pages' },
  { command: 'chromium', package: 'chromium', why: 'shows the page' },
  { command: 'qemu-system-x86_64', package: 'qemu-system-x86', why: 'runs the verification guest' },
  { command: 'grub-script-check', package: 'grub-common', why: 'judges the configurations for GRUB' },
  { command: 'grub-editenv', package: 'grub-common', why: "judges the counts of GRUB's attempts" },
  { command: 'sgdisk', package: 'gdisk', why: 'partitions the disks that loaders start from' },
  { command: 'mkfs.fat', package: 'dosfstools', why: 'makes their EFI system partitions' },
  { command: 'mcopy', package: 'mtools', why: 'puts files into these, without a mount' },
  { command: 'cryptsetup', package: 'cryptsetup-bin', why: 'encrypts the disk whose keys a wipe erases' },
  { command: 'gpg', package: 'gpg', why: 'judges the signatures' },
  { command: 'tpm2_quote', package: 'tpm2-tools', why: 'asks an emulated TPM as a machine does' },
  { command: 'ping', package: 'iputils-ping', why: "knocks at a guest's address" },
  { command: 'tempest', package: 'tempest', why: "OpenStack's own tests of a running cloud" },
  { command: 'dropbear', package: 'dropbear-bin', why: 'lets Tempest log in to its servers' },
  { command: 'cpio', package: 'cpio', why: "packs what Tempest's servers boot" },
  { command: 'docker-registry', package: 'docker-registry', why: 'an independent OCI registry, for charts' },
  { command: 'nginx', package: 'nginx-light', why: 'the peer that serving files is measured against' },
  {
    command: '/usr/lib/python3/dist-packages/heatclient/__init__.py',
    package: 'python3-heatclient',
    why: "the client's words for stacks",
  },
  {
    command: '/usr/lib/python3/dist-packages/oslo_service/__init__.py',
    package: 'python3-oslo.service',
    why: 'what services of OpenStack are launched by',
  },
  { command: 'zsh', package: 'zsh', why: 'completes commands as its users type them' },
  { command: 'fish', package: 'fish', why: 'completes commands as its users type them' },
  { command: 'vagrant', package: 'vagrant', why: 'validates the workstation rack' },
  {
    command: '/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json',
    package: 'vagrant-libvirt',
    why: 'the provider of the workstation rack',
  },
]
