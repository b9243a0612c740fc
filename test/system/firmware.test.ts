// Real firmware: SeaBIOS and OVMF, each by its own network ROM, boot the live system under emulation and report ready.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { labOf, pilotlight, RUN, whyNotWhole } from './lab.ts'

const LAB = `firmware-${RUN}`
const RACK = join(import.meta.dirname, '../../lab/racks/firmware/rack.yaml')
const skip = (await whyNotWhole()) ?? false

t.setTimeout(1_200_000)
t.teardown(() => pilotlight(['lab', 'down', '--lab', LAB], 60))

let up = false
await t.test('a BIOS and a UEFI machine boot the live system and report ready', { skip }, async t => {
  const { status, stderr } = await pilotlight(
    ['lab', 'up', RACK, '--until', 'boot', '--keep', '--lab', LAB],
    900,
  )
  up = t.equal(status, 0, stderr)
})

const notUp = skip || (up ? false : 'the lab did not come up')

const JOURNALS = [
  { machine: 'bios-1', loads: /undionly\.kpxe|boot\.ipxe/, arch: 'BIOS' },
  { machine: 'uefi-1', loads: /snponly\.efi|ipxe\.efi/, arch: 'UEFI' },
]

for (const { machine, loads, arch } of JOURNALS) {
  t.test(
    `the journal tells the boot of the ${arch} machine from DHCPDISCOVER to ready`,
    { skip: notUp },
    async t => {
      const { serverUrl = '' } = labOf(LAB).status()
      const { status, stdout } = await pilotlight(['journal', machine, '--server', serverUrl], 30)
      t.equal(status, 0)
      t.match(stdout, loads)
      const kinds = stdout.split('\n').join(' ')
      t.match(kinds, /discover.*offer.*request.*ack.*script.*kernel.*config.*booted.*ready/s)
    },
  )

  t.test(`the console of the ${arch} machine shows its kernel`, { skip: notUp }, async t => {
    const console = join(labOf(LAB).directory, 'machines', machine, 'console.log')
    t.match(readFileSync(console, 'utf8'), /Linux version|Debian|systemd/)
  })
}
