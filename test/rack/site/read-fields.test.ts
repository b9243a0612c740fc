// Fields that only a schema describes: a made-up one, with a field of each scalar type.

import t from 'tap'
import { fieldsOf } from '#model/fields.ts'
import type { Schema } from '#model/schema.ts'
import { YamlReader } from '#rack/site/document.ts'
import { readScalars, scalarsOf } from '#rack/site/read-fields.ts'

const SCHEMA: Schema = {
  type: 'object',
  required: ['name', 'owner'],
  properties: {
    name: { type: 'string' },
    owner: { type: 'string', minLength: 1 },
    slot: { type: 'integer', minimum: 1, maximum: 48 },
    spare: { type: 'boolean' },
    side: { enum: ['front', 'rear'] },
    rails: { type: 'integer', default: 2 },
    tags: { type: 'array', items: { type: 'string' } },
    place: { type: 'object', properties: { row: { type: 'integer' } } },
  },
}
const SCALARS = scalarsOf(SCHEMA, ['name'])

t.test('strings, integers, booleans and choices are read, lists and objects are not', async t => {
  t.strictSame(Object.keys(SCALARS.properties), ['owner', 'slot', 'spare', 'side', 'rails'])
  t.strictSame(
    fieldsOf(SCALARS).map(({ type }) => type),
    ['text', 'integer', 'boolean', 'text', 'integer'],
  )
  t.strictSame(read('owner: 1.50\nslot: 12\nspare: false\nside: rear\nrails: 0x4'), {
    owner: '1.50',
    slot: 12,
    spare: false,
    side: 'rear',
    rails: 4,
  })
  t.strictSame(read('owner: ann'), { owner: 'ann', rails: 2 })
})

for (const [text, code, message] of [
  ['slot: 12', 'PL-1003', /owner: missing/],
  ['{ owner: ann, slot: twelve }', 'PL-1004', /slot: is "twelve".*write an integer from 1 to 48/s],
  ['{ owner: ann, slot: 1.5 }', 'PL-1004', /slot: is 1.5/],
  ['{ owner: ann, slot: "12" }', 'PL-1004', /slot: is "12"/],
  ['{ owner: ann, slot: 49 }', 'PL-1004', /slot: is more than 48.*write an integer from 1 to 48/s],
  ['{ owner: ann, slot: }', 'PL-1004', /slot: is ""/],
  ['{ owner: ann, spare: yes }', 'PL-1004', /spare: is "yes".*write true or false/s],
  ['{ owner: ann, side: left }', 'PL-1004', /side: is one of front rear/],
  ['{ owner: [ann] }', 'PL-1004', /owner: must be a text/],
] as const) {
  t.test(`refuses ${text}`, async t => {
    t.throws(() => read(text), { problems: [{ code }], message })
  })
}

function read(text: string): Record<string, unknown> {
  const reader = new YamlReader('site.yaml', text)
  const fields = readScalars(reader, [], SCALARS)
  reader.finish()
  return fields
}
