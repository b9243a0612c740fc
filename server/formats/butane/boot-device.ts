// What `boot_device` and `grub` of variant fcos stand for. Partition sizes and types are those of the image that the
// OS is installed from; a new layout there needs a new one here.

import type { Report } from '../ignition/findings.ts'
import type { Disk, Filesystem, IgnitionConfig, Luks, Partition, Raid } from '../ignition/types.ts'
import { dataUrlOf } from './data-url.ts'
import type { Origins } from './origins.ts'
import type { BootDevice, GrubUser } from './types.ts'

const TYPES = {
  reserved: '8DA63339-0007-60C0-C436-083AC8230908',
  bios: '21686148-6449-6E6F-744E-656564454649',
  prep: '9E1A2D38-C612-4316-AA26-8B49521E5A8B',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
} as const
const SIZE_MIB = { reserved: 1, bios: 1, prep: 4, esp: 127, boot: 384 } as const

/** The first two partitions of each disk of a mirror, by architecture. */
const LAYOUTS: ReadonlyMap<string, readonly (keyof typeof TYPES)[]> = new Map([
  ['x86_64', ['bios', 'esp']],
  ['aarch64', ['reserved', 'esp']],
  ['ppc64le', ['prep', 'reserved']],
])
const S390X: ReadonlySet<string> = new Set(['s390x-eckd', 's390x-zfcp', 's390x-virt'])

/** The config that a `boot_device` stands for; empty when it asks for nothing. */
export function bootDeviceConfig(
  { layout, luks = {}, mirror }: BootDevice,
  origins: Origins,
): IgnitionConfig {
  const devices = mirror?.devices ?? []
  const isEncrypted = luks.tpm2 === true || (luks.tang?.length ?? 0) > 0 || luks.cex?.enabled === true
  if (!isEncrypted && devices.length === 0) return {}
  const kinds = LAYOUTS.get(layout ?? 'x86_64') ?? ['reserved', 'reserved']
  const isMirror = devices.length > 0
  const plainRoot = isMirror ? '/dev/md/md-root' : '/dev/disk/by-partlabel/root'
  const root: Filesystem = {
    device: isEncrypted ? '/dev/mapper/root' : plainRoot,
    format: 'xfs',
    label: 'root',
    wipeFilesystem: true,
  }
  const disks = devices.map((device, index) => mirrorDisk(device, index + 1, kinds))
  const mirrored = isMirror ? mirrorFilesystems(devices.length, kinds) : []
  const volume = isEncrypted ? rootVolume(luks, luksDevice(layout, luks.device) ?? plainRoot) : undefined
  const config = {
    storage: {
      ...(isMirror && { disks, raid: mirrorRaids(devices.length) }),
      ...(volume && { luks: [volume] }),
      filesystems: [...mirrored, root],
    },
  }
  const mirrorPath = ['bootDevice', 'mirror']
  for (const [index, disk] of disks.entries()) origins.all(disk, [...mirrorPath, 'devices', index])
  origins.all(disks, [...mirrorPath, 'devices'])
  origins.all(config.storage.raid, mirrorPath)
  for (const [index, filesystem] of mirrored.entries()) {
    const isBoot = index === mirrored.length - 1
    origins.all(filesystem, isBoot ? mirrorPath : [...mirrorPath, 'devices', index])
  }
  origins.mirror(volume?.clevis, ['bootDevice', 'luks'])
  origins.all(volume, ['bootDevice', 'luks'])
  origins.all(config, ['bootDevice'])
  return config
}

function mirrorDisk(device: string, number: number, kinds: readonly (keyof typeof TYPES)[]): Disk {
  const special = kinds.map((kind): Partition => ({
    label: `${kind}-${number}`,
    sizeMiB: SIZE_MIB[kind],
    typeGuid: TYPES[kind],
  }))
  const partitions = [
    ...special,
    { label: `boot-${number}`, sizeMiB: SIZE_MIB.boot },
    { label: `root-${number}` },
  ]
  return { device, partitions, wipeTable: true }
}

/** The superblock of /boot is at the end of its partition, so that a BIOS GRUB needs to know nothing of RAID. */
function mirrorRaids(count: number): Raid[] {
  const devicesOf = (label: string) =>
    Array.from({ length: count }, (_, index) => partition(label, index + 1))
  return [
    { devices: devicesOf('boot'), level: 'raid1', name: 'md-boot', options: ['--metadata=1.0'] },
    { devices: devicesOf('root'), level: 'raid1', name: 'md-root' },
  ]
}

function mirrorFilesystems(count: number, kinds: readonly string[]): Filesystem[] {
  const esps = Array.from({ length: kinds.includes('esp') ? count : 0 }, (_, index) => {
    const label = `esp-${index + 1}`
    return { device: partition('esp', index + 1), format: 'vfat', label, wipeFilesystem: true }
  })
  return [...esps, { device: '/dev/md/md-boot', format: 'ext4', label: 'boot', wipeFilesystem: true }]
}

function partition(label: string, number: number): string {
  return `/dev/disk/by-partlabel/${label}-${number}`
}

/** On these two the volume is on a numbered partition of a named disk. */
function luksDevice(layout: string | undefined, device = ''): string | undefined {
  if (layout === 's390x-eckd') return `${device}2`
  return layout === 's390x-zfcp' ? `${device}4` : undefined
}

function rootVolume(luks: NonNullable<BootDevice['luks']>, device: string): Luks {
  const { cex, discard, tang, threshold, tpm2 } = luks
  const clevis = {
    ...(tang && { tang }),
    ...(threshold !== undefined && { threshold }),
    ...(tpm2 !== undefined && { tpm2 }),
  }
  return {
    ...(cex?.enabled ? { cex: { enabled: true } } : { clevis }),
    device,
    ...(discard !== undefined && { discard }),
    label: 'luks-root',
    name: 'root',
    wipeVolume: true,
  }
}

/** What must hold of a `boot_device` of fcos 1.`fcos`. */
export function bootDeviceRules(bootDevice: BootDevice, fcos: number, { error, warning }: Report): void {
  const { layout, luks = {}, mirror } = bootDevice
  const devices = mirror?.devices ?? []
  if (devices.length > 0 && layout === undefined) {
    const message = 'a mirror needs a layout (x86_64, aarch64, ppc64le)'
    if (fcos >= 7) error(['bootDevice', 'mirror'], message)
    else warning('mirror-without-layout', ['bootDevice', 'mirror'], message)
  }
  if (devices.length === 1) error(['bootDevice', 'mirror', 'devices'], 'a mirror needs two devices at least')
  if (layout !== undefined) layoutRules(layout, bootDevice, fcos, error)
  if (luks.cex?.enabled) {
    const named = layout === undefined ? ['bootDevice', 'luks', 'cex'] : ['bootDevice', 'layout']
    if (!layout?.startsWith('s390x')) error(named, 'cex is for the s390x layouts')
    if (luks.tpm2 || luks.tang?.length) error(['bootDevice', 'luks'], 'cex does not go with tang or tpm2')
  }
  const isMethod = luks.tpm2 || luks.cex?.enabled || luks.tang?.some(server => Object.keys(server).length > 0)
  if (fcos >= 7 && luks.device && !isMethod) error(['bootDevice', 'luks'], 'tang, tpm2 or cex is wanted')
}

function layoutRules(
  layout: string,
  { luks, mirror }: BootDevice,
  fcos: number,
  error: Report['error'],
): void {
  const path = ['bootDevice', 'layout']
  const isS390x = fcos >= 6 && S390X.has(layout)
  if (!LAYOUTS.has(layout) && !isS390x) error(path, `"${layout}" is not a layout that this version knows`)
  const device = luks?.device ?? ''
  if (isS390x && layout !== 's390x-virt' && device === '')
    error(path, 'luks.device is wanted for this layout')
  else if (isS390x && layout === 's390x-eckd' && !/\/dev\/dasd[a-z]$/.test(device)) {
    error(path, `luks.device "${device}" is not a DASD (/dev/dasda)`)
  } else if (isS390x && layout === 's390x-zfcp' && !/\/dev\/sd[a-z]$/.test(device)) {
    error(path, `luks.device "${device}" is not a SCSI disk (/dev/sda)`)
  }
  if (fcos >= 6 && layout.startsWith('s390x') && mirror?.devices?.length)
    error(path, 'a mirror is not for the s390x layouts')
}

/** The config that `grub.users` stands for: passwords in a file of the boot partition. */
export function grubConfig(users: readonly GrubUser[], origins: Origins): IgnitionConfig {
  if (users.length === 0) return {}
  const text = [
    '# Generated by Butane\n',
    `set superusers="${users.map(({ name = '' }) => name).join(' ')}"`,
    ...users.map(({ name = '', passwordHash = '' }) => `password_pbkdf2 ${name} ${passwordHash}`),
    '',
  ].join('\n')
  const config = {
    storage: {
      filesystems: [{ device: '/dev/disk/by-label/boot', format: 'ext4', path: '/boot' }],
      files: [{ path: '/boot/grub2/user.cfg', append: [dataUrlOf(Buffer.from(text), undefined)] }],
    },
  }
  origins.all(config, ['grub', 'users'])
  return config
}

/** What must hold of `grub.users`. */
export function grubRules(users: readonly GrubUser[], { error }: Report): void {
  for (const [index, { name = '', passwordHash = '' }] of users.entries()) {
    const path = ['grub', 'users', index]
    if (name === '') error([...path, 'name'], 'a name is wanted')
    if (passwordHash === '')
      error([...path, 'passwordHash'], 'a password hash is wanted (grub2-mkpasswd-pbkdf2)')
  }
}
