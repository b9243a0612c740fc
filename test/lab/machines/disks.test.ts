// What a power cut leaves on the disks of an emulated machine, with the real QEMU: it is never started, and its monitor writes
// and flushes in the place of a system.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { diskArguments, makeDisks, startCache } from '#lab/machines/disks.ts'
import type { Disk } from '#lab/rack.ts'
import { absent } from '../../absent.ts'
import { endChild } from '../../end-child.ts'

const skip = absent('qemu-system-x86_64', 'nbdkit')
const KIB = 1024

/** A machine with these disks that has power and is paused, and its monitor. */
async function standing(t: Tap, directory: string, disks: readonly Disk[]) {
  const words = ['-S', '-nodefaults', '-display', 'none', '-machine', 'q35', '-m', '64', '-serial', 'none']
  const qemu = spawn('qemu-system-x86_64', [...words, ...diskArguments(disks, 1), '-qmp', 'stdio'], {
    cwd: directory,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.teardown(() => endChild(qemu))
  const lines = createInterface(qemu.stdout)[Symbol.asyncIterator]()
  await lines.next() // the greeting
  const ask = async (command: object): Promise<unknown> => {
    qemu.stdin.write(`${JSON.stringify(command)}\n`)
    for (;;) {
      const { value, done } = await lines.next()
      if (done) throw new Error('QEMU ended')
      const answer = JSON.parse(value) as { return?: unknown; error?: unknown }
      if (answer.error !== undefined) throw new Error(value)
      if ('return' in answer) return answer.return
    }
  }
  await ask({ execute: 'qmp_capabilities' })
  return {
    qemu,
    io: async (disk: string, command: string) => {
      const line = `qemu-io ${disk} "${command}"`
      const said = await ask({ execute: 'human-monitor-command', arguments: { 'command-line': line } })
      if (said !== '') throw new Error(`${line}: ${String(said)}`)
    },
  }
}
type Tap = { testdir(): string; teardown(undo: () => unknown): void }

/** The byte at a place of a disk's file. */
function byteAt(file: string, place: number): number {
  const handle = openSync(file, 'r')
  const byte = Buffer.alloc(1)
  readSync(handle, byte, 0, 1, place)
  closeSync(handle)
  return byte[0] ?? -1
}

t.test(
  'a power cut takes from a disk with a volatile cache what was not flushed, and nothing else',
  { skip },
  async t => {
    const directory = t.testdir()
    const disks: Disk[] = [
      { type: 'virtio', gib: 1, serial: 'a', cache: 'volatile' },
      { type: 'nvme', gib: 1, serial: 'b', cache: 'kept' },
    ]
    makeDisks(directory, disks)
    const cache = await startCache({ directory, console: () => {} }, 0)
    t.teardown(() => cache.end())
    const { qemu, io } = await standing(t, directory, disks)
    for (const disk of ['disk1', 'disk2']) {
      await io(disk, 'write -q -P 1 0 64k')
      await io(disk, 'flush')
      await io(disk, 'write -q -P 2 64k 64k')
    }
    const ended = once(qemu, 'exit')
    cache.cut()
    qemu.kill('SIGKILL')
    await ended
    await cache.end()
    const [one, two] = [join(directory, 'disk.img'), join(directory, 'disk-2.img')]
    t.equal(byteAt(one, 0), 1, 'what was flushed is there')
    t.equal(byteAt(one, 64 * KIB), 0, 'what was not is lost')
    t.equal(byteAt(two, 0), 1)
    t.equal(byteAt(two, 64 * KIB), 2, 'without a volatile cache all is kept')

    const again = await startCache({ directory, console: () => {} }, 0)
    t.teardown(() => again.end())
    const second = await standing(t, directory, disks)
    await second.io('disk1', 'read -q -P 1 0 64k')
    await second.io('disk1', 'read -q -P 0 64k 64k')
  },
)

t.test('disks are sparse files of their size, and those that are there are kept', async t => {
  const directory = t.testdir({ 'disk.img': 'kept' })
  makeDisks(directory, [
    { type: 'virtio', gib: 1, serial: 'a', cache: 'kept' },
    { type: 'ahci', gib: 3, serial: 'b', cache: 'kept' },
  ])
  t.equal(statSync(join(directory, 'disk.img')).size, 4)
  const { size, blocks } = statSync(join(directory, 'disk-2.img'))
  t.equal(size, 3 * KIB ** 3)
  t.equal(blocks, 0)
})

t.test('a disk with a volatile cache needs nbdkit, and the message says so', async t => {
  const path = process.env['PATH']
  process.env['PATH'] = '/nonexistent'
  t.teardown(() => {
    process.env['PATH'] = path
  })
  await t.rejects(startCache({ directory: t.testdir(), console: () => {} }, 0), {
    code: 'NO_TOOL',
    message: /cache: volatile, and no nbdkit: spawn nbdkit ENOENT/,
    remedy: /apt-get install nbdkit/,
  })
})
