// The table of phases, and how events lead through it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  endOf,
  hasReached,
  isReady,
  phaseAfter,
  PHASES,
  stepOf,
  type Phase,
  type PhaseDefinition,
} from '#model/phase.ts'

const table: readonly PhaseDefinition[] = PHASES

t.test('the phase is the furthest step, and a report leads out of failed', async t => {
  const steps: [Parameters<typeof phaseAfter>[1], Phase][] = [
    [{ layer: 'dhcp', kind: 'ack' }, 'address'],
    [{ layer: 'tftp', kind: 'sent' }, 'loader'],
    [{ layer: 'tftp', kind: 'failed' }, 'loader'],
    [{ layer: 'http', kind: 'script' }, 'script'],
    [{ layer: 'http', kind: 'rootfs' }, 'kernel'],
    [{ layer: 'http', kind: 'config' }, 'config'],
    [{ layer: 'dhcp', kind: 'ack' }, 'config'],
    [{ layer: 'os', kind: 'booted' }, 'booted'],
    [{ layer: 'http', kind: 'bundle' }, 'booted'],
    [{ layer: 'os', kind: 'failed' }, 'failed'],
    [{ layer: 'dhcp', kind: 'ack' }, 'failed'],
    [{ layer: 'os', kind: 'ready' }, 'ready'],
    [{ layer: 'os', kind: 'unheard of' }, 'ready'],
  ]
  let phase: Phase = 'new'
  for (const [event, next] of steps)
    t.equal((phase = phaseAfter(phase, event)), next, `${event.layer} ${event.kind}`)
})

t.test('each kind of event leads to one phase, and completes a step of that phase only', async t => {
  const kinds = table.flatMap(row => row.kinds)
  t.strictSame(kinds, [...new Set(kinds)])
  for (const { name, kinds: own, steps } of table)
    for (const kind of Object.keys(steps)) t.ok(own.includes(kind), `${kind} of ${name}`)
})

t.test('a boot begins with nothing done, gets no further back, and ends well or badly', async t => {
  const quarters = table.map(row => row.quarters)
  t.equal(quarters[0], 0)
  t.strictSame(
    quarters,
    quarters.toSorted((a, b) => a - b),
  )
  t.strictSame(
    table.flatMap(({ name, end }) => (end === undefined ? [] : [`${name}: ${end}`])),
    ['ready: good', 'failed: bad'],
  )
  t.equal(table.at(-1)?.end, 'bad', 'it may follow any other')
})

t.test('says what was reached, how it ended, and which step an event completes', async t => {
  t.ok(hasReached('script', 'script'))
  t.ok(hasReached('ready', 'config'))
  t.notOk(hasReached('loader', 'script'))
  t.strictSame([endOf('booted'), endOf('ready'), endOf('failed')], [undefined, 'good', 'bad'])
  t.strictSame(
    [isReady('ready'), isReady('failed'), isReady('booted'), isReady(undefined)],
    [true, false, false, false],
  )
  t.strictSame(['ack', 'offer', 'rootfs', 'unheard of'].map(stepOf), [
    'address',
    undefined,
    'rootfs',
    undefined,
  ])
})

t.test('docs/api.md names them in their order', async t => {
  const docs = join(import.meta.dirname, '../../docs')
  const names = table.filter(({ end }) => end !== 'bad').map(({ name }) => name)
  t.match(readFileSync(join(docs, 'api.md'), 'utf8'), `\`${names.join(' ')}\`, and \`failed\``)
})
