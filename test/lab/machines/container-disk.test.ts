// What a power cut leaves on the disk of a container machine: a real file system on a real loop device, seen by one process.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { cutDisk, diskOf, loopsOf, makeDisk } from '#lab/machines/container-disk.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent } from '../../absent.ts'

const isRoot = process.getuid?.() === 0
const skip = isRoot ? absent('perl', 'unshare', 'mkfs.ext4') : 'needs root: mounts'

/** Runs `script` in a mount namespace with the disk at `at`; gives its pid once it has said that it is ready. */
async function seeing(
  t: Tap,
  folder: string,
  script: string,
): Promise<{ pid: number; end: () => Promise<void> }> {
  const mounted = `mount -o loop,noatime "$0/disk.img" "$0/at"; ${script}; echo ready; exec sleep 600`
  const child = spawn('unshare', ['--mount', 'sh', '-euc', mounted, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  const end = async () => {
    child.kill('SIGKILL')
    await exit
  }
  t.teardown(end)
  await Promise.race([once(child.stdout, 'data'), exit.then(() => Promise.reject(new Error('it ended')))])
  return { pid: child.pid ?? 0, end }
}
type Tap = { testdir(): string; teardown(undo: () => unknown): void }

const free = (file: string) =>
  waitUntil('the disk is free', { limitSeconds: 10, everyMs: 20 }, async () => {
    const loops = loopsOf(file)
    return loops.length === 0 ? { value: true } : { not: loops.join() }
  })

t.test('a power cut takes what was not synced, and keeps what was', { skip }, async t => {
  const folder = t.testdir({ at: {} })
  const disk = diskOf(folder)
  makeDisk(disk, 1)
  const { size, blocks } = statSync(disk.file)
  t.equal(size, 1024 ** 3)
  t.equal(blocks, 0, 'sparse')
  await run('mkfs.ext4', ['-q', '-F', disk.file], { limitSeconds: 60 })

  const write = 'echo synced > "$0/at/a"; sync -f "$0/at"; echo unsynced > "$0/at/b"'
  const { pid, end } = await seeing(t, folder, write)
  t.equal(loopsOf(disk.file).length, 1)
  cutDisk(disk, [process.pid, 0, pid]) // the first two do not see it
  await end()
  await free(disk.file)
  const after = await seeing(t, folder, 'ls "$0/at" > "$0/listed"; cat "$0/at/a" >> "$0/listed"')
  await after.end()
  await free(disk.file)
  const { stdout } = await run('cat', [join(folder, 'listed')], { limitSeconds: 5 })
  t.equal(stdout, 'a\nlost+found\nsynced\n')
})

t.test('an end without a power cut writes everything', { skip }, async t => {
  const folder = t.testdir({ at: {} })
  const disk = diskOf(folder)
  makeDisk(disk, 1)
  await run('mkfs.ext4', ['-q', '-F', disk.file], { limitSeconds: 60 })
  const { end } = await seeing(t, folder, 'echo unsynced > "$0/at/b"')
  await end()
  await free(disk.file)
  const after = await seeing(t, folder, 'cat "$0/at/b" > "$0/listed"')
  await after.end()
  const { stdout } = await run('cat', [join(folder, 'listed')], { limitSeconds: 5 })
  t.equal(stdout, 'unsynced\n')
})

t.test('a power cut stops no file system but that of the disk', { skip }, async t => {
  const folder = t.testdir()
  const disk = diskOf(folder)
  mkdirSync(disk.slot)
  writeFileSync(disk.file, '')
  cutDisk(disk, [process.pid])
  writeFileSync(join(folder, 'after'), 'written')
  t.equal(statSync(join(folder, 'after')).size, 7, "the host's can be written to")
})
