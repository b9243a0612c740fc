// A slot is granted only when slot.json and the files beside it agree.

import t from 'tap'
import { hash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Slots } from '#server/assets/slots.ts'
import { SLOT_VERSION, slotFiles } from '../../slot-files.ts'

t.test('gives slot.json as it is with the digest of its bytes', async t => {
  const root = t.testdir(slotFiles())
  const read = await new Slots(root).read('live')
  const text = readFileSync(join(root, 'live/slot.json'), 'utf8')
  t.strictSame(read, {
    slot: JSON.parse(text) as object,
    version: SLOT_VERSION,
    sha256: hash('sha256', text),
  })
})

t.test('a folder without slot.json, or no assets at all, has no slot', async t => {
  t.equal(await new Slots(t.testdir({ live: {} })).read('live'), undefined)
  t.equal(await new Slots(undefined).read('live'), undefined)
  t.equal(await new Slots(t.testdir({})).read('../live'), undefined)
})

t.test('refuses a slot whose file is gone, has another size or another content', async t => {
  const root = t.testdir(slotFiles())
  const slots = new Slots(root)
  await slots.read('live')
  const kernel = join(root, 'live/vmlinuz')
  writeFileSync(`${kernel}.new`, 'the kernem') // as many bytes; replaced as all our tools do it
  renameSync(`${kernel}.new`, kernel)
  await t.rejects(slots.read('live'), { code: 'SLOT_UNFIT', message: /vmlinuz has another digest/ })
  writeFileSync(kernel, 'a kernel of another size')
  await t.rejects(slots.read('live'), { code: 'SLOT_UNFIT', message: /vmlinuz has 24 bytes in place of 10/ })
  rmSync(kernel)
  await t.rejects(slots.read('live'), { code: 'SLOT_UNFIT', message: /vmlinuz is missing/ })
  writeFileSync(kernel, 'the kernel')
  t.equal((await slots.read('live'))?.version, SLOT_VERSION, 'and takes it once it is right again')
})

t.test('a slot.json that is too large, or is not one, is refused', async t => {
  const root = t.testdir(slotFiles())
  const slots = new Slots(root)
  for (const [text, message] of [
    [' '.repeat(70_000), /^live\/slot\.json of the assets has 70000 bytes/],
    ['{', /^live\/slot\.json of the assets is not JSON/],
  ] as const) {
    writeFileSync(join(root, 'live/slot.json'), text)
    await t.rejects(slots.read('live'), { code: 'SLOT_UNFIT', message })
    await t.rejects(slots.description('live'), { code: 'SLOT_UNFIT', message })
  }
})

t.test('names every file that differs, and a description reads none of them', async t => {
  const root = t.testdir(slotFiles())
  const slots = new Slots(root)
  writeFileSync(join(root, 'live/vmlinuz'), 'x')
  rmSync(join(root, 'live/initrd.img'))
  const slot = await slots.description('live')
  t.equal(slot?.version, SLOT_VERSION)
  t.strictSame(await slots.differences('live', slot?.files ?? {}), [
    'vmlinuz has 1 bytes in place of 10',
    'initrd.img is missing',
  ])
  t.strictSame(await slots.differences('live', { vmlinuz: { sha256: hash('sha256', 'x') } }), [])
})
