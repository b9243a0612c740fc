import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { BootEvent } from '#model/boot.ts'
import type { Phase } from '#model/phase.ts'
import { silentStage } from '#progress/stage.ts'
import { BootWatch } from '#rack/up/boots.ts'

type Happened = readonly [layer: BootEvent['layer'], kind: string, seconds: number]

/** Follows one machine through these events; gives the note of its stage, or the error that ended it. */
async function watched(events: readonly Happened[], limitSeconds = 5): Promise<string> {
  const began = Date.now()
  const all = events.map(([layer, kind, seconds], at): BootEvent => ({
    id: at + 1,
    at: began + seconds * 1000,
    boot: 'b-0001',
    mac: '52:54:00:20:00:01',
    machine: 'ctl-1',
    layer,
    kind,
    text: `${kind}.`,
    detail: {},
  }))
  const source = {
    lastEvent: async () => 0,
    events: async (after: number, _: number, signal?: AbortSignal) => {
      // At first until the machine is waited for, then until the watch is closed.
      await sleep(after === 0 ? 1 : 60_000, undefined, signal && { signal })
      return { events: all, last: all.length }
    },
  }
  const watch = await BootWatch.start(source, new AbortController().signal)
  let note = ''
  try {
    await watch.ready('ctl-1', { ...silentStage, done: text => (note = text ?? '') }, limitSeconds)
  } catch (error) {
    note = (error as Error).message
  } finally {
    await watch.close()
  }
  return note.replaceAll(/\d+\.\d+s/g, seconds => `${Math.round(Number.parseFloat(seconds))}s`)
}

t.test('counts the steps of the table of phases, each once, until the machine is ready', async t => {
  const note = await watched([
    ['dhcp', 'discover', 1],
    ['dhcp', 'ack', 2],
    ['tftp', 'sent', 3],
    ['dhcp', 'ack', 4],
    ['http', 'script', 5],
    ['http', 'kernel', 6],
    ['http', 'initrd', 7],
    ['http', 'config', 8],
    ['http', 'rootfs', 9],
    ['os', 'booted', 10],
    ['os', 'ready', 11],
  ])
  const steps = [
    'address 2s',
    'loader 3s',
    'script 5s',
    'kernel 6s',
    'config 8s',
    'rootfs 9s',
    'booted 10s',
    'ready 11s',
  ]
  t.equal(note, steps.join('  '))
})

t.test('ends when the machine reports that it failed, and not when a transfer failed', async t => {
  const failed = [['os', 'failed', 2]] as const
  t.match(await watched([['dhcp', 'ack', 1], ...failed]), /^ctl-1 failed: failed/)
  t.match(
    await watched([
      ['tftp', 'failed', 1],
      ['tftp', 'sent', 2],
      ['os', 'ready', 3],
    ]),
    /^loader 2s {2}ready 3s$/,
  )
})

t.test('a machine of which nothing was seen is described by what is known of it', async t => {
  const source = {
    lastEvent: async () => 0,
    events: async (_: number, __: number, signal?: AbortSignal) => {
      await sleep(60_000, undefined, signal && { signal })
      return { events: [], last: 0 }
    },
  }
  const watch = await BootWatch.start(source, new AbortController().signal)
  const said = async (dhcp: 'full' | 'off', phase?: Phase) =>
    watch.ready('ctl-1', silentStage, 0.01, phase === undefined ? { dhcp } : { dhcp, phase }).catch(String)
  t.match(await said('full'), /no DHCP request: is it powered/)
  t.match(await said('full', 'new'), /no DHCP request: is it powered/)
  t.match(await said('off'), /dhcp: off, so its requests are not seen here/)
  t.match(await said('full', 'script'), /the machine was at "script": does it hang\?/)
  const warned = {
    dhcp: 'full',
    causes: ['DHCP is off in this server. Start it without --no-dhcp.'],
  } as const
  t.match(
    await watch.ready('ctl-1', silentStage, 0.01, warned).catch(String),
    /Last seen: nothing\. The server warned: DHCP is off in this server\. .*Where that is as you want it: no DHCP request/,
    'the cause that is known comes first',
  )
  await watch.close()
})
