// Placing the live system and the guest among a server's assets, from files that stand for the images.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { placeAssets } from '#images/assets.ts'

t.test('images are placed again over themselves without a trace', async t => {
  const directory = t.testdir({
    built: {
      a: 'kernel',
      b: 'initrd',
      c: { 'rootfs.squashfs': 'root', 'rootfs.sha256': 'digest' },
      guest: { vmlinuz: 'x', 'initrd.img': 'y', 'disk.raw': 'z' },
    },
  })
  const from = (name: string) => join(directory, 'built', name)
  const images = {
    kernel: from('a'),
    initrd: from('b'),
    rootfs: from('c/rootfs.squashfs'),
    guest: from('guest'),
  }
  const rest = { kubernetes: '', rootfsSha256: '', containers: '', tools: '' }
  for (let round = 0; round < 2; round += 1) await placeAssets({ ...images, ...rest }, join(directory, 'to'))
  const live = join(directory, 'to', 'live')
  t.strictSame(readdirSync(live).toSorted(), ['initrd.img', 'rootfs.sha256', 'rootfs.squashfs', 'vmlinuz'])
  t.equal(readFileSync(join(live, 'vmlinuz'), 'utf8'), 'kernel')
  t.equal(readFileSync(join(directory, 'to/guest/disk.raw'), 'utf8'), 'z')
})
