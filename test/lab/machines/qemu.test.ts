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

t.test('a disk comes before the card, and KVM only when asked for', async t => {
  const line = lineOf({ diskGiB: 8, accelerator: 'kvm' })
  t.match(line, /bootindex=2.*drive=disk,bootindex=1/)
  t.match(line, '-accel kvm -cpu host')
})

t.test('a machine has a TPM only when its rack says so', async t => {
  t.match(lineOf({ tpm: true }), /-chardev socket,id=tpm,path=tpm\.socket .*-device tpm-tis,tpmdev=tpm/)
  t.notMatch(lineOf({}), 'tpm')
})

t.test('a machine has its own clock only when its rack says so', async t => {
  t.match(lineOf({ clock: '2040-01-01T00:00:00' }), '-rtc base=2040-01-01T00:00:00')
  t.notMatch(lineOf({}), '-rtc')
})
