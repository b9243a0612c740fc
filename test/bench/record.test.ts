// Records of commands that go on after an interruption.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { circumstances, openRecord } from '../../bench/record.ts'

type Try = { readonly row: string; readonly passed: boolean }

t.test('a line is in the file as soon as it was added, and the next command has it', async t => {
  const path = join(t.testdir(), 'record.jsonl')
  const first = openRecord<Try>(path)
  t.strictSame(first.lines(), [])
  first.add({ row: 'a', passed: false })
  t.equal(readFileSync(path, 'utf8'), '{"row":"a","passed":false}\n')
  const next = openRecord<Try>(path)
  next.add({ row: 'a', passed: true })
  t.strictSame(next.lines(), [
    { row: 'a', passed: false },
    { row: 'a', passed: true },
  ])
  t.strictSame(openRecord<Try>(path).lines(), next.lines())
})

t.test('a line is added below a last line without an end', async t => {
  const path = join(t.testdir({ 'record.jsonl': '{"row":"a"}' }), 'record.jsonl')
  const record = openRecord(path)
  record.add({ row: 'b' })
  record.add({ row: 'c' })
  t.equal(readFileSync(path, 'utf8'), '{"row":"a"}\n{"row":"b"}\n{"row":"c"}\n')
})

t.test('an empty file is a record without lines', async t => {
  const path = join(t.testdir({ 'record.jsonl': '' }), 'record.jsonl')
  t.strictSame(openRecord<Try>(path).lines(), [])
})

t.test('a line that was cut off is named, with how to remove it, and nothing is written', async t => {
  const path = join(t.testdir(), 'record.jsonl')
  for (const bad of ['{"row":"b","pas', '[]', 'null', '7']) {
    const text = `{"row":"a","passed":true}\n${bad}`
    writeFileSync(path, text)
    t.throws(() => openRecord<Try>(path), {
      message: `${path}:2 is not a line of a record: ${bad}. Remove it:  sed -i 2d ${path}`,
    })
    t.equal(readFileSync(path, 'utf8'), text)
  }
})

t.test('without a file the lines are kept as long as the command runs', async t => {
  const record = openRecord<Try>(undefined)
  record.add({ row: 'a', passed: true })
  t.strictSame(record.lines(), [{ row: 'a', passed: true }])
})

t.test('every record in docs/runs can be read', async t => {
  const folder = join(import.meta.dirname, '../../docs/runs')
  const records = readdirSync(folder).filter(name => name.endsWith('.jsonl'))
  t.ok(records.length > 5)
  for (const name of records) t.ok(openRecord(join(folder, name)).lines().length > 0, name)
})

t.test('circumstances say when, of which commit and at which load', async t => {
  t.match(circumstances(), { date: /^\d{4}-\d\d-\d\dT\d\d:\d\d$/, commit: /^[0-9a-f]{7,}$/ })
  t.ok(circumstances().load >= 0)
})
