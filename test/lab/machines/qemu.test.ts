import t from 'tap'
import { qemuArguments } from '#lab/machines/qemu.ts'
import type { Rack, RackMachine } from '#lab/rack.ts'

const machine: RackMachine = {
  name: 'cmp-1',
  mac: '52:54:00:20:00:02',
  uuid: '5a0e7f00-0021-4000-8000-000000000002',
  driver: 'qemu',
  firmware: 'bios',
  accelerator: 'tcg',
}

function lineOf(changes: Partial<RackMachine>): string {
  const changed = { ...machine, ...changes }
  const rack: Rack = { name: 'r', bridge: { address: '10.20.0.1', prefix: 24 }, machines: [changed] }
  return qemuArguments(rack, changed).join(' ')
}

t.test('a BIOS machine is emulated, boots from its card, and carries its own UUID', async t => {
  const line = lineOf({ memoryMiB: 3000, cpus: 4 })
  t.match(line, '-uuid 5a0e7f00-0021-4000-8000-000000000002')
  t.match(line, '-accel tcg,thread=multi -cpu qemu64,-svm -smp 4 -m 3000')
  t.match(line, 'virtio-net-pci,netdev=net,mac=52:54:00:20:00:02,bootindex=1')
  t.notMatch(line, 'pflash')
})

t.test('a UEFI machine boots by its own PXE client: the card has no option ROM', async t => {
  const line = lineOf({ firmware: 'uefi' })
  t.match(line, /bootindex=1,romfile= .*OVMF_CODE_4M\.fd.*file=firmware-variables\.fd/)
})

const disk = { gib: 8, serial: 'S-1', cache: 'kept' } as const

t.test(
  'a disk comes before the card unless its rack says otherwise, and KVM only when asked for',
  async t => {
    const line = lineOf({ disks: [{ type: 'virtio', ...disk }], accelerator: 'kvm' })
    t.match(line, /netdev=net,mac=\S+,bootindex=2 .*virtio-blk-pci,drive=disk1,serial=S-1,bootindex=1/)
    t.match(line, '-accel kvm -cpu host')
    const network = lineOf({ disks: [{ type: 'virtio', ...disk }], boot: 'network', medium: '/a,b.iso' })
    t.match(network, /bootindex=1 .*drive=disk1,serial=S-1,bootindex=2 .*file=\/a,,b\.iso,.*bootindex=3/)
    t.match(lineOf({ medium: 'ipxe', boot: 'medium' }), /netdev=net,\S+,bootindex=2 .*ide-cd,\S+,bootindex=1/)
  },
)

t.test(
  'each kind of disk is connected by its own controller, and a removable one says that it is',
  async t => {
    const types = ['virtio', 'nvme', 'ahci', 'ahci', 'megasas', 'megasas', 'usb'] as const
    const disks = types.map((type, at) => ({ ...disk, type, serial: `S-${at}` }))
    const line = lineOf({ disks })
    t.match(line, / nvme,drive=disk2,serial=S-1,/)
    t.match(line, /ide-hd,bus=ide\.0,drive=disk3.*ide-hd,bus=ide\.1,drive=disk4/)
    t.match(line, /megasas-gen2,id=raid .*scsi-hd,bus=raid\.0,scsi-id=0,.*scsi-hd,bus=raid\.0,scsi-id=1,/)
    t.match(line, /usb-storage,bus=usb\.0,removable=on,drive=disk7/)
    t.match(line, /file=disk\.img,cache=unsafe.*file=disk-7\.img,cache=unsafe/)
    t.equal(line.match(/megasas-gen2/g)?.length, 1)
  },
)

t.test('each card has its own cable, and only OVMF with a virtio card boots without a ROM', async t => {
  const network = [
    { card: 'e1000e', mac: machine.mac },
    { card: 'virtio', mac: '52:54:00:20:01:02' },
  ] as const
  const uefi = lineOf({ network, firmware: 'uefi' })
  t.match(uefi, /ifname=cmp-1,\S+ -device e1000e,netdev=net,mac=52:54:00:20:00:02,bootindex=1 /)
  t.match(
    uefi,
    /ifname=port0-2,\S+ -device virtio-net-pci,netdev=net2,mac=52:54:00:20:01:02,bootindex=2,romfile= /,
  )
  t.notMatch(lineOf({ network }), 'romfile')
})

t.test('a machine checks signatures, and shows a serial number, only when its rack says so', async t => {
  const line = lineOf({ firmware: 'uefi', secureBoot: true, serial: 'SN-1' })
  t.match(line, /q35,graphics=off,smm=on .*type=1,serial=SN-1,.*property=secure,value=on .*secboot\.fd/)
  t.notMatch(lineOf({ firmware: 'uefi' }), /secboot|smbios|smm/)
})

t.test('a machine has a TPM only when its rack says so', async t => {
  t.match(lineOf({ tpm: true }), /-chardev socket,id=tpm,path=tpm\.socket .*-device tpm-tis,tpmdev=tpm/)
  t.notMatch(lineOf({}), 'tpm')
})

t.test('a machine has its own clock only when its rack says so', async t => {
  t.match(lineOf({ clock: '2040-01-01T00:00:00' }), '-rtc base=2040-01-01T00:00:00')
  t.notMatch(lineOf({}), '-rtc')
})
