// How the program that writes slots deals with what goes wrong meanwhile: a slow or cut fetch, a kill, a full state partition, an image
// that is not proven yet. It runs as it is, on an installed machine that is a folder.

import { createServer } from 'node:http'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { NEW, OLD } from '../../server/upgrade-rack.ts'
import { absent } from '../../absent.ts'
import { installedMachine, writeSlotFiles } from './installed-machine.ts'

t.setTimeout(180_000)
const MIB = 1 << 20
const skip = process.getuid?.() !== 0 ? 'needs root' : absent('jq', 'curl', 'unshare', 'flock')

type Served = { status: number; from: number; bytes: number; cut?: boolean }

/** A machine, and a server of its images, whose answers `answer` may change; `ranges` are what was asked for of the root image. */
async function machineOf(t: Test, answer: (usual: Served, count: number) => Served = usual => usual) {
  const folder = t.testdir({ assets: {}, machine: {} })
  const assets = join(folder, 'assets')
  const machine = installedMachine(join(folder, 'machine'), assets)
  // No part of it is like another one.
  const image = Buffer.alloc(11 * MIB)
  for (let at = 0; at < image.length; at += 4) image.writeUInt32LE((at * 2654435761) % 2 ** 32, at)
  let sha256 = writeSlotFiles(assets, { 'rootfs.squashfs': image })
  const ranges: string[] = []
  const server = createServer((request, response) => {
    const name = request.url?.slice(1) ?? ''
    const content = readFileSync(join(assets, name))
    if (name !== 'rootfs.squashfs') {
      response.end(content)
      return
    }
    const { range } = request.headers
    ranges.push(range ?? 'all')
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    const usual = { status: range === undefined ? 200 : 206, from, bytes: content.length - from }
    const served = answer(usual, ranges.length)
    response.statusCode = served.status
    response.setHeader('Content-Length', content.length - served.from)
    if (served.status === 206)
      response.setHeader('Content-Range', `bytes ${from}-${content.length - 1}/${content.length}`)
    response.write(content.subarray(served.from, served.from + served.bytes), () => {
      if (served.cut === true) setTimeout(() => response.destroy(), 300)
    })
    if (served.cut !== true) response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/slot.json`
  const write = (before?: string) => machine.slot(['write', url, sha256], undefined, before)
  const written = () => readFileSync(machine.at('disk5')).subarray(0, image.length).equals(image)
  const isEmpty = () => readFileSync(machine.at('run/labels/5'), 'utf8') === '_empty\n'
  const spoil = (name: string) => writeFileSync(join(assets, name), 'another file')
  const files = () =>
    readdirSync(machine.at('run/pilotlight/esp/EFI/Linux')).toSorted((a, b) => a.localeCompare(b))
  return { ...machine, write, written, isEmpty, ranges, spoil, files, assets, url }
}

t.test('what was cut short goes on where it ended', { skip }, async t => {
  const machine = await machineOf(t, (usual, count) =>
    count === 1 ? { ...usual, bytes: 9 * MIB, cut: true } : usual,
  )
  await machine.write()
  t.strictSame(machine.ranges, ['all', `bytes=${8 * MIB}-`])
  t.ok(machine.written())
})

t.test('begins again with a server that sends no parts of a file', { skip }, async t => {
  const machine = await machineOf(t, (usual, count) =>
    count === 1
      ? { ...usual, bytes: 9 * MIB, cut: true }
      : { ...usual, status: 200, from: 0, bytes: 11 * MIB },
  )
  await machine.write()
  t.strictSame(machine.ranges, ['all', `bytes=${8 * MIB}-`, 'all'])
  t.ok(machine.written())
})

t.test('begins again where the parts do not belong together', { skip }, async t => {
  const machine = await machineOf(t, (usual, count) => {
    if (count === 1) return { ...usual, bytes: 5 * MIB, cut: true }
    return count === 2 ? { ...usual, from: 0, bytes: usual.bytes } : usual
  })
  const { stdout } = await machine.write()
  t.match(stdout, /its parts do not belong together/)
  t.ok(machine.written())
})

t.test('ends when it gets no further, and at its end whatever it got', { skip }, async t => {
  const stuck = await machineOf(t, usual => ({ ...usual, bytes: 0, cut: true }))
  await t.rejects(stuck.write('export PILOTLIGHT_STALL_SECONDS=3'), {
    message: /rootfs\.squashfs was not fetched in time: curl/,
  })
  t.ok(stuck.isEmpty())
  const slow = await machineOf(t, usual => ({ ...usual, bytes: Math.min(usual.bytes, 5 * MIB), cut: true }))
  await t.rejects(slow.write('export PILOTLIGHT_FETCH_SECONDS=2'), {
    message: new RegExp(`was not fetched in time: ${4 * MIB} of ${11 * MIB} bytes are there`),
  })
})

t.test('an image that is on trial leaves alone the good one that it would return to', { skip }, async t => {
  const machine = await machineOf(t)
  const TRIAL = '222222222222'
  machine.disk(TRIAL, 'a')
  machine.labels(TRIAL, OLD)
  machine.entries(`pilotlight_1-${OLD}.efi`, `pilotlight_2-${TRIAL}+2-1.efi`)
  writeFileSync(machine.at('run/pilotlight/state/pilotlight/trial'), `${TRIAL} 240\n`)
  await t.rejects(machine.write(), {
    message: new RegExp(`${TRIAL} runs and is not marked good yet, so slot b keeps ${OLD}`),
  })
  t.strictSame(machine.files(), [`pilotlight_1-${OLD}.efi`, `pilotlight_2-${TRIAL}+2-1.efi`])
  t.equal(readFileSync(machine.at('run/labels/5'), 'utf8'), `pilotlight_${OLD}\n`)
  t.equal(
    readFileSync(machine.at('run/pilotlight/state/pilotlight/trial'), 'utf8'),
    `${TRIAL} 240\n`,
    'what runs keeps its time to be marked good',
  )
  // What the other slot holds is not known to work either.
  machine.entries(`pilotlight_1-${OLD}+1-2.efi`, `pilotlight_2-${TRIAL}+2-1.efi`)
  await machine.write()
  t.strictSame(machine.files(), [`pilotlight_2-${TRIAL}+2-1.efi`, `pilotlight_3-${NEW}+3.efi`])
})

t.test(
  'a slot whose entry was removed before a power cut is free, also while an image is on trial',
  { skip },
  async t => {
    const machine = await machineOf(t)
    const TRIAL = '222222222222'
    machine.disk(TRIAL, 'a')
    machine.labels(TRIAL, OLD)
    machine.entries(`pilotlight_2-${TRIAL}+2-1.efi`)
    await machine.write()
    t.strictSame(machine.files(), [`pilotlight_2-${TRIAL}+2-1.efi`, `pilotlight_3-${NEW}+3.efi`])
  },
)

t.test('an image is good once the loader of one disk counts its starts no more', { skip }, async t => {
  const machine = await machineOf(t)
  const disks = `${machine.at('gone')},${machine.at('disk')}`
  writeFileSync(
    machine.at('run/pilotlight/disk.env'),
    `DISKS=${disks}\nSLOT=a\nVERSION=${OLD}\nENTERED=disk\n`,
  )
  writeFileSync(machine.at('run/pilotlight/state/pilotlight/machine.json'), JSON.stringify({ version: OLD }))
  machine.entries(`pilotlight_1-${OLD}+2-1.efi`)
  machine.program('mount', '#!/bin/sh\ncase "$*" in *gone2*) exit 32 ;; esac\n')
  const { stdout } = await machine.slot(['good'])
  t.match(stdout, /the loader on \S+gone was not changed: it goes on counting[^]*slot a with \S+ is good/)
  t.strictSame(machine.files(), [`pilotlight_1-${OLD}.efi`])
  t.ok(existsSync(machine.at('run/pilotlight/slot.good')))
  rmSync(machine.at('run/pilotlight/slot.good'))
  machine.program('mount', '#!/bin/sh\nexit 32\n')
  await t.rejects(machine.slot(['good']), { message: /is not marked good: no loader was changed/ })
  t.notOk(existsSync(machine.at('run/pilotlight/slot.good')))
})

t.test('one that fails leaves nothing mounted', { skip }, async t => {
  const machine = await machineOf(t)
  machine.spoil('pilotlight.efi')
  machine.program('umount', '#!/bin/sh\nexec /bin/umount "$@"\n')
  machine.program('veritysetup', '#!/bin/sh\nmkdir -p /run/image/usr/lib/systemd\n')
  const squashfs =
    'case "$*" in *squashfs*) exec /bin/mount --bind /run/image /run/pilotlight/slot/check ;; esac'
  machine.program(
    'mount',
    `#!/bin/sh\n${squashfs}\nfor last; do :; done\nexec /bin/mount -t tmpfs none $last\n`,
  )
  await t.rejects(machine.write(), { message: /pilotlight\.efi is not the file that was announced/ })
  t.notMatch(readFileSync(machine.at('run/mounts'), 'utf8'), /pilotlight\/(?:esp|slot)/)
})

t.test('one that was killed while it verified does not keep the next one from it', { skip }, async t => {
  const machine = await machineOf(t)
  const mapping = machine.at('run/mapping')
  const verity =
    'case $1 in open) [ ! -e /run/mapping ] || exit 5; touch /run/mapping ;; close) rm /run/mapping ;; esac'
  machine.program('veritysetup', `#!/bin/sh\n${verity}\n`)
  const mount = readFileSync(machine.at('bin/mount'), 'utf8')
  for (const [signal, isLeft] of [
    ['KILL', true],
    ['TERM', false],
  ] as const) {
    rmSync(mapping, { force: true })
    machine.program('mount', `#!/bin/sh\ncase "$*" in *squashfs*) kill -${signal} $PPID ;; esac\n`)
    await t.rejects(machine.write())
    t.equal(existsSync(mapping), isLeft, `after SIG${signal}`)
    machine.program('mount', mount)
    await machine.write()
    t.notOk(existsSync(mapping))
    machine.labels(OLD, '000000000000')
    machine.entries(`pilotlight_1-${OLD}.efi`)
  }
})

t.test('one is written at a time', { skip }, async t => {
  const machine = await machineOf(t)
  await t.rejects(machine.write('exec 7> /run/pilotlight/write.lock && flock 7'), {
    message: /a slot is being written already/,
  })
  t.strictSame(machine.ranges, [])
})

t.test('an image whose /var does not fit beside the state is not started', { skip }, async t => {
  const machine = await machineOf(t)
  mkdirSync(machine.at('run/image/var/lib'), { recursive: true })
  writeFileSync(machine.at('run/image/var/lib/data'), Buffer.alloc(20 * MIB, 1))
  const small =
    'mount -t tmpfs -o size=80m none /run/pilotlight/state && mkdir -p /run/pilotlight/state/pilotlight'
  await t.rejects(machine.write(small), {
    message: /the state partition has (?:79|80) MiB free, and the first start of 1111bbbb1111 needs 8[45]/,
  })
  t.ok(machine.isEmpty())
  t.strictSame(machine.files(), [`pilotlight_1-${OLD}.efi`])
  const there = `${small} && mkdir -p /run/pilotlight/state/var/lib && touch /run/pilotlight/state/var/lib/data`
  await machine.write(there)
  t.strictSame(
    machine.files(),
    [`pilotlight_1-${OLD}.efi`, `pilotlight_2-${NEW}+3.efi`],
    'what is there is not copied',
  )
})

t.test('the image is fetched once for both disks of a mirror', { skip }, async t => {
  for (const broken of [false, true]) {
    const machine = await machineOf(t)
    const disks = `${machine.at('disk')},${machine.at('second')}`
    writeFileSync(
      machine.at('run/pilotlight/disk.env'),
      `DISKS=${disks}\nSLOT=a\nVERSION=${OLD}\nENTERED=disk\n`,
    )
    for (const number of [5, 6]) writeFileSync(machine.at(`second${number}`), Buffer.alloc(16 * MIB))
    // The first disk gives something else than it took.
    const other = `[ "\${1#if=*disk5}" = "$1" ] || set -- if=/dev/zero "$2" iflag=fullblock oflag=direct bs=4194304 count=3 conv=notrunc`
    if (broken)
      machine.program('dd', `#!/bin/sh\ncase "$2" in of=*second5) ${other} ;; esac\nexec /bin/dd "$@"\n`)
    const { stdout } = await machine.write()
    const first = readFileSync(machine.at('disk5')).subarray(0, 11 * MIB)
    t.ok(first.equals(readFileSync(machine.at('second5')).subarray(0, 11 * MIB)))
    t.ok(machine.written())
    if (broken)
      t.match(
        stdout,
        /rootfs\.squashfs was not copied from \S+disk to \S+second, and is fetched: .*does not have what/,
      )
    t.equal(machine.ranges.length, broken ? 2 : 1)
    t.match(stdout, /slot b of \S+second holds 1111bbbb1111, verified/)
  }
})

t.test('a disk that does not answer ends what looks at its loader', { skip }, async t => {
  const machine = await machineOf(t)
  machine.program('mount', '#!/bin/sh\nexec sleep 300\n')
  const common = readFileSync(machine.at('lib/disk-common'), 'utf8')
  writeFileSync(machine.at('lib/disk-common'), common.replace('limited 60 mount', 'limited 2 mount'))
  await t.rejects(machine.slot(['status']), {
    message: /the EFI system partition of \S+disk was not mounted within a minute/,
  })
})
