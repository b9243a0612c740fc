// Every kind of card, disk and drive of rack files in a real QEMU, as far as the firmware's own boot loaders: what they show
// proves that the firmware found the card. Nothing answers them. Whole boots are in bench/machines/firmware-matrix.ts.

import t from 'tap'
import { parseRack } from '#lab/rack.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent } from '../absent.ts'
import { labIn } from './booted.ts'
import { remainsOf } from './remains.ts'

const isRoot = process.getuid?.() === 0
const tools = ['ip', 'qemu-system-x86_64', 'nbdkit', 'mformat', 'xorriso', '/usr/lib/ipxe/ipxe.iso']
const skip = isRoot
  ? absent(...tools, '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd')
  : 'needs root: network namespaces'
t.setTimeout(300_000)

const NAME = `h${process.pid}`
const RACK = `name: ${NAME}
bridge: { address: 10.20.0.1/24 }
machines:
  - name: bios-1
    mac: 52:54:00:20:00:01
    uuid: 5a0e7f00-0026-4000-8000-000000000001
    driver: qemu
    memoryMiB: 256
    cpus: 1
    boot: network
    serial: SN-1
    network: [e1000e, { card: vmxnet3, mac: 52:54:00:20:01:01 }, { card: virtio, mac: 52:54:00:20:02:01 }]
    disks:
      - { type: nvme, gib: 1 }
      - { type: ahci, gib: 1, cache: volatile }
      - { type: virtio, gib: 1 }
      - { type: megasas, gib: 1 }
      - { type: usb, gib: 1 }
  - name: uefi-1
    mac: 52:54:00:20:00:02
    uuid: 5a0e7f00-0026-4000-8000-000000000002
    driver: qemu
    firmware: uefi
    secureBoot: true
    memoryMiB: 512
    cpus: 1
    boot: network
    network: vmxnet3
    disks: [{ type: megasas, gib: 1 }, { type: nvme, gib: 1, cache: volatile }]
  - { name: cd-1, mac: 52:54:00:20:00:03, uuid: 5a0e7f00-0026-4000-8000-000000000003, driver: qemu, memoryMiB: 256, cpus: 1, boot: medium, medium: ipxe, network: rtl8139 }
  - { name: cd-2, mac: 52:54:00:20:00:04, uuid: 5a0e7f00-0026-4000-8000-000000000004, driver: qemu, firmware: uefi, memoryMiB: 512, cpus: 1, boot: medium, medium: ipxe }
`

/** What the console shows once a boot loader has found the machine's first card. */
const FOUND = {
  'bios-1': /net0: 52:54:00:20:00:01 using \S+ on/,
  'uefi-1': /net0: 52:54:00:20:00:02 using \S+ on/,
  'cd-1': /net0: 52:54:00:20:00:03 using \S+ on/,
  'cd-2': /net0: 52:54:00:20:00:04 using \S+ on/,
}

t.test(
  'firmware finds the cards and drives that rack files name, and a cut ends all of it',
  { skip },
  async t => {
    const lab = await labIn(t, parseRack(RACK, '/rack.yaml'))
    const consoleOf = async (name: string) => {
      let text = ''
      for await (const piece of lab.machine(name).console()) text += piece
      return text.replaceAll('\u001b', '')
    }
    await Promise.all(
      Object.entries(FOUND).map(async ([name, pattern]) => {
        await lab.machine(name).powerOn()
        await waitUntil(`${name} finds its card`, { limitSeconds: 120 }, async () => {
          const shown = await consoleOf(name)
          return pattern.test(shown)
            ? { value: true }
            : { not: shown.trimEnd().split('\n').slice(-4).join(' | ') }
        })
        t.pass(name)
      }),
    )
    await Promise.all(Object.keys(FOUND).map(name => lab.machine(name).order({ verb: 'off', hard: true })))
    t.strictSame(
      lab.status().machines.map(({ power }) => power),
      ['off', 'off', 'off', 'off'],
    )
    const left = remainsOf(NAME, lab.directory)
    t.strictSame(left, [`pl-${NAME}`], 'no QEMU and no nbdkit')
  },
)
