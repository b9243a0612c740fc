import t from 'tap'
import fc from 'fast-check'
import { canonicalUuid, isUuid, plainUuid } from '#model/uuid.ts'

const dashed = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map(bytes => Buffer.from(bytes).toString('hex'))
  .map(hex => hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'))

t.test('every way to write a UUID gives the same text', async () => {
  const writings = [
    (uuid: string) => uuid.toUpperCase(),
    (uuid: string) => uuid.replaceAll('-', ''),
    (uuid: string) => `{${uuid}}`,
    (uuid: string) => `{${uuid.replaceAll('-', '').toUpperCase()}}`,
    (uuid: string) => `urn:uuid:${uuid}`,
    (uuid: string) => `URN:UUID:${uuid.toUpperCase()}`,
  ]
  const writing = fc.constantFrom(...writings)
  fc.assert(
    fc.property(dashed, writing, (uuid, write) => isUuid(write(uuid)) && plainUuid(write(uuid)) === uuid),
  )
})

t.test('the first three fields may come with their bytes turned round', async () => {
  fc.assert(
    fc.property(dashed, uuid => canonicalUuid(uuid) === canonicalUuid(swap(uuid).replaceAll('-', ''))),
  )
})

t.test('a text that is not a UUID is only put into lower case', async t => {
  const hex = '00112233445566778899aabbccddeeff'
  for (const text of [
    '',
    'ABC',
    `{${hex}`,
    `${hex}0`,
    `${hex.slice(1)}g`,
    '0011-2233445566778899aabbccddeeff',
    '{}',
  ]) {
    t.match([plainUuid(text), canonicalUuid(text)], [text.toLowerCase(), text.toLowerCase()])
    t.notOk(isUuid(text), text)
  }
  t.notOk(isUuid('0'.repeat(36)))
})

/** The same UUID as other firmware shows it. */
function swap(uuid: string): string {
  const fields = uuid
    .split('-')
    .map((field, at) => (at < 3 ? (field.match(/../g) ?? []).toReversed().join('') : field))
  return fields.join('-')
}
