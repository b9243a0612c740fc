import t from 'tap'
import { contentTypeOf } from '#server/assets/sniff.ts'

const kinds: readonly (readonly [string, string])[] = [
  ['', 'text/plain; charset=utf-8'],
  ['{"a": 1}', 'text/plain; charset=utf-8'],
  [' \n<!doctype html>', 'text/html; charset=utf-8'],
  ['<htmlx>', 'text/plain; charset=utf-8'],
  ['<?xml version="1.0"?>', 'text/xml; charset=utf-8'],
  ['\x1f\x8b\x08\0', 'application/x-gzip'],
  ['RIFF1234WEBPVP8', 'image/webp'],
  ['\0\x01\x02', 'application/octet-stream'],
  ['text\x1b[0m', 'text/plain; charset=utf-8'],
]

for (const [bytes, type] of kinds) {
  t.test(`${JSON.stringify(bytes)} is ${type}`, async t => {
    t.equal(contentTypeOf(Buffer.from(bytes, 'latin1')), type)
  })
}
