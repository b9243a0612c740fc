// The rules of Ignition, judged by the real ignition-validate: what it takes we take, what it refuses we refuse.

import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { checkIgnition } from '#server/formats/ignition/config.ts'
import { errorsText, findingText } from '#server/formats/ignition/findings.ts'
import { ODD_TEXTS, SAMPLES, textOf } from './configs.ts'
import { isAccepted, skip } from './oracle.ts'

/** How many of the real program run at once. */
const AT_ONCE = 4

t.test('every sample is taken or refused as by ignition-validate', { skip }, async t => {
  const folder = t.testdir()
  const texts = [...SAMPLES.map(textOf), ...ODD_TEXTS]
  const wrong: string[] = []
  const waiting = texts.entries()
  const work = async () => {
    for (const [index, text] of waiting) {
      const real = await isAccepted(text, join(folder, `${index}.ign`))
      const { good, findings } = checkIgnition(text)
      const problem = good === undefined ? errorsText(findings) : undefined
      if (real !== (problem === undefined)) wrong.push(`${text}\n real: ${real}, ours: ${problem ?? 'good'}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  t.strictSame(wrong, [])
  t.ok(texts.length > 200, `${texts.length} texts`)
})

t.test('a finding names path, line and column', async t => {
  const text = '{\n "ignition": {"version": "3.4.0"},\n "storage": {"files": [\n  {"path": "etc/x"}]}\n}'
  t.strictSame(checkIgnition(text).findings.map(findingText), [
    'line 4, column 12: storage.files[0].path: "etc/x" is relative; write it from /',
  ])
})

t.test('a key that the spec does not know is a warning with its place', async t => {
  const text =
    '{"ignition":{"version":"3.3.0"},\n"storage":{"luks":[{"name":"a","device":"/a","discard":true}]}}'
  const { good, findings } = checkIgnition(text)
  t.ok(good)
  t.strictSame(findings.map(findingText), [
    'line 2, column 46: storage.luks[0].discard: this key is not known, and is ignored',
  ])
})

t.test('no text makes the check throw', async t => {
  const part = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"ignition"',
    '"version"',
    '"3.4.0"',
    '1',
    'null',
  )
  const json = fc.json().map(text => `{"ignition":{"version":"3.5.0"},"storage":${text},"systemd":${text}}`)
  const texts = fc.oneof(
    fc.string(),
    json,
    fc.array(part, { maxLength: 30 }).map(parts => parts.join('')),
  )
  fc.assert(
    fc.property(texts, text => {
      checkIgnition(text)
    }),
    { numRuns: 500 },
  )
  t.pass()
})
