// Locks of labs (lab/lab.ts, host/process.ts): one process at a time brings a lab up.

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findLab, labNames, lockLab, openLab } from '#lab/lab.ts'
import { markProcess } from '#host/process.ts'

t.test('a name that leads out of the labs folder is refused before anything is removed', async t => {
  const root = join(t.testdir({ labs: {}, precious: '' }), 'labs')
  for (const name of ['..', '.', '', '/', '../precious', 'Small', 'a'.repeat(21), 'a/../..']) {
    t.throws(() => findLab(name, { root }), { code: 'BAD_NAME' })
    t.throws(() => lockLab(name, { root }), { code: 'BAD_NAME' })
    const rack = { name, bridge: { address: '10.20.0.1', prefix: 24 }, machines: [] }
    await t.rejects(openLab(rack, { root }), { code: process.getuid?.() === 0 ? 'BAD_NAME' : 'NEEDS_ROOT' })
  }
  t.ok(existsSync(join(root, '..', 'precious')))
})

t.test('one process at a time brings a lab up, and labs of other names are free', async t => {
  const root = t.testdir()
  const unlock = lockLab('small', { root })
  t.throws(() => lockLab('small', { root }), {
    code: 'LOCKED',
    message: new RegExp(`another .lab up., process ${process.pid} `),
  })
  lockLab('other', { root })()
  t.strictSame(labNames({ root }), [], 'a lock is not a lab')
  unlock()
  lockLab('small', { root })()
})

t.test('the lock of a process that is gone is taken over, also when its number was given again', async t => {
  const root = t.testdir()
  const mine = markProcess(process.pid)
  for (const left of [JSON.stringify({ ...mine, startTicks: 1 }), '{"pid":', '']) {
    writeFileSync(join(root, 'small.lock'), left)
    lockLab('small', { root })()
  }
  t.notOk(existsSync(join(root, 'small.lock')))
})
