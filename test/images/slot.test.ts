// What a slot's files say, from files in the place of the images.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readSlot, SLOT_FILES, slotCommandLine, writeSlot } from '#images/slot.ts'
import { slotVersion } from '#model/slot.ts'

const ROOTHASH = '63de0608e34465cd1d52acc2275e8bccb385aaf3f788696688d3a8024659901b'

t.test('the command line says that the boot is from the disk, and from which slot', async t => {
  const words = slotCommandLine(ROOTHASH).split(' ')
  for (const word of [
    'pilotlight.disk',
    `roothash=${ROOTHASH}`,
    'pilotlight.slot=63de0608e344',
    'ignition.firstboot',
  ])
    t.ok(words.includes(word), word)
  t.notOk(
    words.some(word => /^(root|coreos\.live\.rootfs_url)=/.test(word)),
    'nothing that a boot over the network has',
  )
  // In grub.cfg it is between double quotes, where these have a meaning, and on its way there it is split at spaces.
  t.notMatch(slotCommandLine(ROOTHASH), /["\\$`'\n]/)
  t.equal(slotVersion(ROOTHASH), '63de0608e344')
})

t.test('slot.json has the digest of each file', async t => {
  const directory = t.testdir()
  mkdirSync(join(directory, 'grub'))
  for (const name of SLOT_FILES) writeFileSync(join(directory, name), name)
  const slot = await writeSlot(directory, {
    version: slotVersion(ROOTHASH),
    roothash: ROOTHASH,
    kubernetes: '1.36.3',
    cmdline: slotCommandLine(ROOTHASH),
  })
  t.strictSame(await readSlot(directory), slot, 'and is read as a server reads it')
  t.strictSame(JSON.parse(readFileSync(join(directory, 'slot.json'), 'utf8')), slot)
  t.strictSame(Object.keys(slot.files), [...SLOT_FILES])
  // sha256sum of the ten letters "initrd.img"
  t.strictSame(slot.files['initrd.img'], {
    sha256: '624440d5da7863dae160ded89728f18f353557a2e0f73ab137b7bd9272fde195',
    bytes: 10,
  })
})
