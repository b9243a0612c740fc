// The verification guest: the order of its modules, and the guest itself in an emulated machine where this host can run one.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import t from 'tap'

import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { words } from '#images/commands.ts'
import { guestRecipe, moduleOrder } from '#images/guest.ts'
import { waitUntil } from '#progress/wait.ts'
import { freePort } from '../free-ports.ts'

t.setTimeout(180_000)

const MODULES_DEP = `kernel/net/core/failover.ko:
kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko
kernel/drivers/virtio/virtio.ko:
kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko kernel/drivers/virtio/virtio.ko
`

t.test('a module comes behind all that it needs, each once', async t => {
  const order = moduleOrder(MODULES_DEP, ['virtio', 'virtio_net'])
  t.strictSame(order, [
    'kernel/drivers/virtio/virtio.ko',
    'kernel/net/core/failover.ko',
    'kernel/drivers/net/net_failover.ko',
    'kernel/drivers/net/virtio_net.ko',
  ])
})

t.test('a module that the kernel does not have is named', async t => {
  t.throws(() => moduleOrder(MODULES_DEP, ['floppy']), { code: 'UNKNOWN_MODULE', message: /floppy/ })
})

const guest = await findArtefact(guestRecipe)
const qemu = await run('qemu-system-x86_64', ['--version'], { limitSeconds: 20 }).catch(() => undefined)
const skip =
  (guest === undefined && 'the guest is not built here (pilotlight images build)') ||
  (qemu === undefined && 'needs qemu-system-x86_64')

t.test(
  'it says its address, its name, its disk and which hosts it reaches, answers HTTP, and heeds the power button',
  { skip },
  async t => {
    if (guest === undefined) return
    const directory = await mkdtemp(join(tmpdir(), 'guest-')) // a socket's path may have 104 bytes at most
    t.teardown(() => rm(directory, { recursive: true }))
    const disk = join(directory, 'vdb.raw')
    await writeFile(disk, 'pilotlight-starts 4\n')
    await truncate(disk, 8 << 20)
    const foreign = join(directory, 'vdc.raw')
    await writeFile(foreign, "someone's data")
    await truncate(foreign, 1 << 20)
    const metadata = join(directory, 'metadata')
    const meta = '{"probe": "169.254.169.254:80/x 169.254.0.2:9/"}'
    const document = `{"uuid": "0b5e-77", "meta": ${meta}, "hostname": "first.novalocal", "name": "first"}`
    await writeFile(metadata, `#!/bin/sh\nprintf 'HTTP/1.0 200 OK\\r\\n\\r\\n%s\\n' '${document}'\nsleep 1\n`)
    await chmod(metadata, 0o755)
    const port = await freePort()
    const network = [
      'user,id=net,net=169.254.0.0/16,host=169.254.0.2,dhcpstart=169.254.0.15',
      `guestfwd=tcp:169.254.169.254:80-cmd:${metadata}`,
      `hostfwd=tcp:127.0.0.1:${port}-:80`,
    ].join(',')
    const monitor = join(directory, 'monitor')
    const options = words(
      '-accel tcg -m 128 -nodefaults -display none -serial stdio',
      `-monitor unix:${monitor},server=on,wait=off`,
      `-kernel ${join(guest.path, 'vmlinuz')} -initrd ${join(guest.path, 'initrd.img')} -append console=ttyS0`,
      `${drive(join(guest.path, 'disk.raw'))},snapshot=on ${drive(disk)} ${drive(foreign)} -device virtio-net-pci,netdev=net`,
    )
    const machine = spawn('qemu-system-x86_64', [...options, '-netdev', network])
    const ended = once(machine, 'exit')
    t.teardown(() => machine.kill('SIGKILL'))
    let console = ''
    for (const output of [machine.stdout, machine.stderr]) {
      output.on('data', (bytes: Buffer) => (console += bytes.toString()))
    }
    const said = (line: RegExp) =>
      waitUntil(String(line), { limitSeconds: 100, everyMs: 50 }, async () =>
        line.test(console) ? { value: true } : { not: `the console ends with ${console.slice(-80)}` },
      )

    await said(/^GUEST-UP 169\.254\.0\.15\r?$/m)
    await said(/^GUEST-META name=first uuid=0b5e-77\r?$/m)
    await said(/^GUEST-PROBE 169\.254\.169\.254:80 answers\r?$/m)
    await said(/^GUEST-PROBE 169\.254\.0\.2:9 is silent\r?$/m)
    await said(/^GUEST-PROBE done\r?$/m)
    await said(/^GUEST-DISK vdb 8388608\r?$/m)
    await said(/^GUEST-STARTS vda 1\r?$/m)
    await said(/^GUEST-STARTS vdb 5\r?$/m)
    await said(/^GUEST-DISK vdc 1048576\r?$/m)
    const starts = await fetch(`http://127.0.0.1:${port}/starts`, { signal: AbortSignal.timeout(10_000) })
    t.equal(await starts.text(), 'vda 1\nvdb 5\n')
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(10_000) })
    t.equal(await answer.text(), 'first.novalocal 169.254.0.15\n')

    connect(monitor).end('system_powerdown\n')
    await said(/^GUEST-POWEROFF\r?$/m)
    const [status] = await ended
    t.equal(status, 0)
    t.match(await readFile(disk, 'latin1'), /^pilotlight-starts 5\n/, 'the count is on the disk')
    t.match(await readFile(foreign, 'latin1'), /^someone's data\0/, 'data of others is left alone')
  },
)

function drive(path: string): string {
  return `-drive file=${path},format=raw,if=virtio`
}
