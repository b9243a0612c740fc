// What the programs of machines, written in shell, and the model say of a disk is the same: sizes, labels, types, and times.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LEAST_DISK_BYTES } from '#model/disk.ts'
import { HEALTHY_SECONDS } from '#model/install.ts'
import { slotIn } from '#model/slot.ts'

const top = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
/** What a pattern finds once in a file. */
function once(
  t: { equal: (a: number, b: number, why: string) => void },
  path: string,
  pattern: RegExp,
): string {
  const found = [...top(path).matchAll(pattern)]
  t.equal(found.length, 1, `${pattern} is once in ${path}`)
  return found[0]?.[1] ?? ''
}

/** The partitions of a slot. */
const slot = (which: string) => [
  { name: `root-${which}`, type: 'root-x86-64', label: '$EMPTY', least: '3G', most: '3G' },
  { name: `verity-${which}`, type: 'root-x86-64-verity', label: '$EMPTY', least: '64M', most: '64M' },
]

t.test('the smallest disk', async t => {
  t.equal(Number(once(t, 'images/live/dracut/disk/network-boot', /^LEAST=(\d+)/gm)), LEAST_DISK_BYTES)
  t.match(top('docs/disk.md'), `${LEAST_DISK_BYTES / 2 ** 30} GiB at least`)
})

t.test('how long an image has to be marked good', async t => {
  t.equal(
    Number(once(t, 'images/live/root/usr/lib/pilotlight/slot', /^GOOD_SECONDS=(\d+)/gm)),
    HEALTHY_SECONDS.default,
  )
  t.equal(
    Number(once(t, 'images/live/root/usr/lib/pilotlight/orders', /healthySeconds \/\/ (\d+)/g)),
    HEALTHY_SECONDS.default,
  )
})

t.test('the partitions', async t => {
  const defined = [
    ...top('images/live/dracut/disk/install').matchAll(
      /^ *(?:\S+\) )?definition \d+-(\S+) (\S+) (\S+) (\S+) (\S+)/gm,
    ),
  ].map(([, name, type, label, least, most]) => ({ name, type, label, least, most }))
  const state = { name: 'state', type: 'linux-generic', label: 'pilotlight-state', least: '1G', most: "''" }
  const bios = '21686148-6449-6e6f-744e-656564454649'
  t.strictSame(defined, [
    { name: 'bios', type: bios, label: 'pilotlight-bios', least: '1M', most: '1M' },
    { name: 'esp', type: 'esp', label: 'pilotlight-esp', least: '1G', most: '1G' },
    ...slot('a'),
    ...slot('b'),
    state, // half of a mirror
    state, // plain
    state, // encrypted
  ])
  for (const row of [
    /^\| 1 \| BIOS boot \| 1 MiB \| `pilotlight-bios`/m,
    /^\| 2 \| EFI system partition \| 1 GiB \| `pilotlight-esp`/m,
    /^\| 3, 4 \| slot a: root, verity tree \| 3 GiB, 64 MiB \|/m,
    /^\| 7 \| state \| the rest \| `pilotlight-state`/m,
  ])
    t.match(top('docs/disk.md'), row)
})

t.test('a root image may be as large as its partition, and no larger', async t => {
  const roothash = 'a'.repeat(64)
  const of = (bytes: number) => {
    const file = { sha256: roothash, bytes }
    const files = { 'rootfs.squashfs': file, vmlinuz: file, 'initrd.img': file }
    const text = { version: roothash.slice(0, 12), roothash, files, cmdline: `roothash=${roothash}` }
    return () => slotIn(JSON.stringify(text), what => new Error(what))
  }
  t.doesNotThrow(of(3 * 2 ** 30))
  t.throws(of(3 * 2 ** 30 + 1), /no size of rootfs\.squashfs that fits a slot/)
})
