// Placing the live system and the guest among a server's assets, from files that stand for the images.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { placeAssets } from '#images/assets.ts'
import { BESIDE_INITRD } from '#images/initrd.ts'
import { SLOT_FILES } from '#images/slot.ts'

t.test('images are placed again over themselves without a trace', async t => {
  const directory = t.testdir({
    built: {
      slot: {
        ...Object.fromEntries(SLOT_FILES.filter(name => !name.includes('/')).map(name => [name, name])),
        'slot.json': '{}',
        grub: Object.fromEntries(
          SLOT_FILES.flatMap(name => (name.startsWith('grub/') ? [[name.slice(5), name]] : [])),
        ),
      },
      initrd: Object.fromEntries(['initrd.img', ...BESIDE_INITRD].map(name => [name, name])),
      c: { 'rootfs.squashfs': 'root', 'rootfs.sha256': 'digest' },
      guest: { vmlinuz: 'x', 'initrd.img': 'y', 'disk.raw': 'z' },
    },
  })
  const from = (name: string) => join(directory, 'built', name)
  const images = {
    kernel: from('slot/vmlinuz'),
    initrd: from('initrd/initrd.img'),
    slot: from('slot'),
    rootfs: from('c/rootfs.squashfs'),
    guest: from('guest'),
  }
  const rest = { kubernetes: '', rootfsSha256: '', containers: '', tools: '' }
  for (let round = 0; round < 2; round += 1) await placeAssets({ ...images, ...rest }, join(directory, 'to'))
  const live = join(directory, 'to', 'live')
  const files = readdirSync(live, { recursive: true, encoding: 'utf8' }).filter(name => name !== 'grub')
  t.strictSame(new Set(files), new Set([...SLOT_FILES, ...BESIDE_INITRD, 'rootfs.sha256', 'slot.json']))
  for (const name of [...SLOT_FILES, ...BESIDE_INITRD]) t.equal(readFileSync(join(live, name), 'utf8'), name)
  t.equal(readFileSync(join(live, 'rootfs.sha256'), 'utf8'), 'digest')
  t.equal(readFileSync(join(directory, 'to/guest/disk.raw'), 'utf8'), 'z')
})
