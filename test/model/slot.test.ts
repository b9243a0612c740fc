// A slot.json is read by images/, by a server that gives grants, and by one that looks at itself: in one way.

import t from 'tap'
import fc from 'fast-check'
import { slotIn } from '#model/slot.ts'
import { SLOT_VERSION, slotText } from '../slot-files.ts'

class Unfit extends Error {}
const read = (text: string) => slotIn(text, what => new Unfit(what))

t.test('gives all fields of a slot.json', async t => {
  const more = { kubernetes: '1.36.3', later: 1 }
  t.strictSame(read(slotText(slot => ({ ...slot, ...more }))), {
    ...(JSON.parse(slotText()) as object),
    ...more,
  })
  t.equal(read(slotText()).version, SLOT_VERSION)
})

t.test('refuses one that is too large, names files elsewhere, or contradicts itself', async t => {
  const one = { sha256: '0'.repeat(64), bytes: 1 }
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`file-${at}`, one]))
  const broken: [string, RegExp][] = [
    [' '.repeat(70_000), /is larger than 65536 bytes/],
    ['{', /is not JSON/],
    ['[]', /has no files/],
    ['{"files":[]}', /has no files/],
    [slotText(slot => ({ ...slot, roothash: 'x' })), /no root hash/],
    [slotText(slot => ({ ...slot, version: '000000000000' })), /version that is not/],
    [slotText(slot => ({ ...slot, cmdline: 'quiet' })), /command line without/],
    [slotText(slot => ({ ...slot, kubernetes: 'latest; rm' })), /Kubernetes that is not one/],
    [slotText(slot => ({ ...slot, files: { vmlinuz: one } })), /names no rootfs.squashfs/],
    [slotText(slot => ({ ...slot, files: { ...many, ...(slot['files'] as object) } })), /names 35 files/],
    ...['../../etc/shadow', '/etc/shadow', 'a//b', '..', 'a/..', 'a/b/c'].map((name): [string, RegExp] => [
      slotText(slot => withFile(slot, name, one)),
      /names a file "/,
    ]),
    [slotText(slot => withFile(slot, 'x', { ...one, bytes: 2 ** 40 })), /no size of x that fits/],
    [slotText(slot => withFile(slot, 'x', { sha256: one.sha256 })), /no size of x/],
    [slotText(slot => withFile(slot, 'x', { ...one, sha256: 'X' })), /no SHA-256 of x/],
  ]
  for (const [text, message] of broken) t.throws(() => read(text), message)
})

t.test('whatever a slot.json holds, it is read or refused with the given error', async t => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.object().map(files => slotText(slot => ({ ...slot, files }))),
  )
  fc.assert(
    fc.property(text, it => {
      try {
        read(it)
        return true
      } catch (error) {
        return error instanceof Unfit
      }
    }),
  )
  t.pass()
})

function withFile(slot: Record<string, unknown>, name: string, file: object): object {
  return { ...slot, files: { ...(slot['files'] as object), [name]: file } }
}
