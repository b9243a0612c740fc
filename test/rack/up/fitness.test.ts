// What keeps machines from booting, and what is only worth knowing.

import t from 'tap'
import type { Diagnosis } from '#model/diagnosis.ts'
import { causesOf, requireFit } from '#rack/up/fitness.ts'

const GATEWAY: Diagnosis = { check: 'gateway', verdict: 'warning', text: 'The gateway forwards no packets.' }
const ASSETS: Diagnosis = { check: 'assets', verdict: 'failed', text: 'No kernel is there.', blocks: true }
const IMAGES: Diagnosis = { check: 'images', verdict: 'warning', text: 'There is nothing to install.' }

t.test('only what blocks a boot is named as a cause of a machine that was never seen', async t => {
  t.strictSame(causesOf([GATEWAY, ASSETS, IMAGES]), ['No kernel is there.'])
  t.strictSame(causesOf([GATEWAY]), [])
})

t.test('images without anything to install are shown, and do not keep machines off', async t => {
  const shown: string[] = []
  const show = (line: string) => void shown.push(line)
  requireFit([IMAGES], { show })
  t.strictSame(shown, ['There is nothing to install.'])
  t.throws(() => requireFit([IMAGES, ASSETS], { show }), { code: 'CANNOT_BOOT', message: /No kernel/ })
})
