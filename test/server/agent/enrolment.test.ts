// What a machine that waits for its approval is told, and what the journal keeps of it.

import t from 'tap'
import { heldText } from '#server/agent/enrolment.ts'
import { LIMITS } from '#model/clean.ts'

t.test('keeps the whole command however long the reason and the switch port are', async t => {
  const fingerprint = `SHA256:${'0'.repeat(64)}`
  const machine = 'controller-0123456789-0123456789-0123456789-0123456789-01234567'
  const text = heldText({
    machine,
    fingerprint,
    address: '10.20.0.11',
    port: `circuit=GigabitEthernet1/0/24 remote=${'f'.repeat(200)}`,
    why: `it is not the key that was approved on 2026-11-29 (SHA256:${'1'.repeat(64)})`,
  })
  t.ok(text.length <= LIMITS.eventText, `${text.length} characters`)
  t.match(text, new RegExp(`^${machine} at 10\\.20\\.0\\.11, port .*…? If it is the machine: {2}`))
  t.ok(text.endsWith(`pilotlight machines approve ${machine} --fingerprint ${fingerprint}`))
})
