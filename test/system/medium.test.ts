// A boot medium in QEMU, as far as the config: GRUB on it, its kernel and initrd, a static address in a VLAN, the question to the
// server. From there on it is the boot of every machine; test/medium/boots.ts goes on to `ready`, by hand, in more forms.

import t from 'tap'
import { absent } from '../absent.ts'
import { bootOne } from '../medium/boots.ts'
import { whyNotWhole } from './lab.ts'

const skip = (await whyNotWhole()) ?? absent('python3', 'xorriso', 'grub-mkimage', 'mcopy')

t.setTimeout(900_000)

t.test('a UEFI machine boots from a CD, in a VLAN without DHCP, and gets its config', { skip }, async t => {
  const medium = { address: '10.20.0.21/24', vlan: '100' }
  const boot = await bootOne({ id: 'ci', firmware: 'uefi', as: 'cd', medium, vlan: 100 }, '', 'config')
  t.match(boot.journal.join(), /^script: runs profile live.*config: fetched live\.ign\.njk/)
  t.notMatch(boot.journal.join(), /discover|bundle/, 'no DHCP, and nothing that an operator did not approve')
})
