// What a host must have to run a virtual rack, and to ask its cloud.

import type { Prerequisite } from '#host/prerequisites.ts'

/** For running a virtual rack. */
export const labPrerequisites: readonly Prerequisite[] = [
  { root: true, why: 'a rack is network namespaces, bridges and mounts' },
  { command: 'qemu-system-x86_64', package: 'qemu-system-x86', why: 'machines of the driver qemu' },
  { command: '/usr/share/OVMF/OVMF_CODE_4M.fd', package: 'ovmf', why: 'the firmware of UEFI machines' },
  { command: '/usr/lib/ipxe/snponly.efi', package: 'ipxe', why: 'the loader that machines fetch by TFTP' },
  {
    command: 'nbdkit',
    package: 'nbdkit',
    why: 'disks that lose what was not flushed when their power is cut',
  },
  {
    command: 'mformat',
    package: 'mtools',
    why: 'the iPXE medium of UEFI machines whose card has no boot ROM',
  },
  { command: 'xorriso', package: 'xorriso', why: 'the same' },
  { command: 'swtpm', package: 'swtpm', why: 'the TPM of machines that have one' },
  { command: 'ip', package: 'iproute2', why: 'the network between the machines' },
  { command: 'curl', package: 'curl', why: 'what container machines fetch by HTTP' },
  { command: 'nft', package: 'nftables', why: "the rack's way out, where one is asked for" },
  { command: 'nsenter', package: 'util-linux', why: 'runs the server inside the rack' },
  { command: 'mount', package: 'mount', why: 'the roots of container machines' },
]

/** For machines of a libvirt that is its own (lab/libvirt/in-own). */
export const libvirtPrerequisites: readonly Prerequisite[] = [
  { root: true, why: 'libvirt runs in its own namespaces' },
  { command: 'libvirtd', package: 'libvirt-daemon-system', why: 'runs the machines' },
  {
    command: '/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so',
    package: 'libvirt-daemon-driver-qemu',
    why: "libvirt's driver of QEMU",
  },
  { command: 'virsh', package: 'libvirt-clients', why: 'asks libvirt' },
  { command: 'dnsmasq', package: 'dnsmasq-base', why: "libvirt's networks" },
  { command: 'qemu-img', package: 'qemu-utils', why: "makes the machines' disks" },
  { command: 'qemu-system-x86_64', package: 'qemu-system-x86', why: 'the machines' },
  { command: 'ip', package: 'iproute2', why: "waits for the rack's network" },
  { command: 'unshare', package: 'util-linux', why: 'the namespaces' },
]

/** For asking a running cloud with the real client. */
export const openstackClientPrerequisites: readonly Prerequisite[] = [
  { command: 'openstack', package: 'python3-openstackclient', why: 'asks the cloud as its users would' },
]
