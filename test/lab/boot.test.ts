// One machine of each driver boots the live system over the network, from the real server with its own profiles.

import { join, resolve } from 'node:path'
import t from 'tap'
import { placeAssets } from '#images/assets.ts'
import { findImages } from '#images/build.ts'
import type { ImageSet } from '#images/build.ts'
import { openLab } from '#lab/lab.ts'
import type { Lab } from '#lab/lab.ts'
import type { Rack } from '#lab/rack.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent } from '../absent.ts'
import { remainsOf } from './remains.ts'

const images = process.getuid?.() === 0 ? await findImages() : undefined
const noImages = images ? absent('ip', 'curl') : 'needs root and built images: pilotlight images'
const noQemu = noImages || absent('qemu-system-x86_64', '/usr/lib/ipxe/snponly.efi')
const name = `b${process.pid}`
t.setTimeout(240_000) // a boot while others use the machine

function rack(suffix: string, driver: 'container' | 'qemu'): Rack {
  const firmware = resolve('lab/racks/firmware')
  const machine = { name: 'm-1', mac: '52:54:00:20:00:11', uuid: '5a0e7f00-0022-4000-8000-0000000000aa' }
  return {
    name: name + suffix,
    bridge: { address: '10.20.0.1', prefix: 24 },
    data: join(firmware, 'data'),
    objects: join(firmware, 'objects.json'),
    machines: [{ ...machine, driver, firmware: 'bios', accelerator: 'tcg' }],
  }
}

/** A lab with its server, which the test's end takes down. */
async function labWithServer(t: Tap, rack: Rack, images: ImageSet): Promise<{ lab: Lab; url: string }> {
  const root = t.testdir()
  const lab = await openLab(rack, { root })
  t.teardown(() => lab.down())
  const assetsPath = join(lab.directory, 'assets')
  await placeAssets(images, assetsPath)
  const { hostUrl } = await lab.startServer({ assetsPath })
  return { lab, url: hostUrl }
}
/** What helpers use of a test. */
type Tap = { testdir(): string; teardown(undo: () => unknown): void }

t.test(
  'a container machine boots over the network into systemd with what Ignition wrote',
  { skip: noImages },
  async t => {
    const { lab } = await labWithServer(t, rack('c', 'container'), images!) // skipped without
    await lab.machine('m-1').powerOn()
    await systemUp(lab)
    const inside = async (...argv: string[]): Promise<string> =>
      (await lab.machine('m-1').exec(argv)).stdout.trim()
    t.match(await inside('cat', '/proc/cmdline'), /coreos\.live\.rootfs_url=http:\/\/10\.20\.0\.1:8080/)
    t.match(await inside('cat', '/etc/.ignition-result.json'), /"userConfigProvided": true/)
    t.equal(await inside('cat', '/etc/machine-id'), '5a0e7f000022400080000000000000aa')
    t.equal(await inside('systemctl', '--failed', '--no-legend'), '')
    t.match(await inside('networkctl', '--no-legend', 'list', 'eth0'), /routable +configured/)
    t.match(await inside('ls', '/run/live/ro'), /usr/)
    t.match(await inside('journalctl', '--boot', '--no-pager'), /Reached target multi-user.target/)
    t.equal(await inside('sh', '-c', 'pgrep systemd-udevd || echo none'), 'none')
    const bootId = await inside('cat', '/proc/sys/kernel/random/boot_id')
    const before = lab.status().machines[0]?.pid
    await inside('systemctl', 'reboot').catch(() => '') // its connection may end first
    await waitUntil('it is another system', { limitSeconds: 30 }, async () => {
      const now = lab.status().machines[0]?.pid
      return now !== undefined && now !== before ? { value: true } : { not: `process 1 is ${now}` }
    })
    await systemUp(lab)
    t.not(await inside('cat', '/proc/sys/kernel/random/boot_id'), bootId, 'it knows that it is another boot')
    await lab.machine('m-1').powerOff()
    t.strictSame(
      remainsOf(lab.name, lab.directory).filter(line => line.startsWith(`pl-${lab.name}-`)),
      [],
    )
    await lab.down()
    t.strictSame(remainsOf(lab.name, lab.directory), [])
  },
)

t.test(
  'SeaBIOS boots an emulated machine over the network as far as the live system',
  { skip: noQemu },
  async t => {
    const { lab } = await labWithServer(t, rack('q', 'qemu'), images!) // skipped without
    await lab.machine('m-1').powerOn()
    await waitUntil('its kernel starts', { limitSeconds: 120 }, async () => {
      let seen = ''
      for await (const piece of lab.machine('m-1').console()) seen += piece
      return seen.includes('Linux version')
        ? { value: true }
        : { not: seen.trimEnd().split('\n').at(-1) ?? '' }
    })
    await lab.machine('m-1').powerOff({ graceSeconds: 0 })
    t.match(lab.status(), { machines: [{ power: 'off' }] })
    await lab.down()
    t.strictSame(remainsOf(lab.name, lab.directory), [])
  },
)

async function systemUp(lab: Lab): Promise<void> {
  await waitUntil('its system is up', { limitSeconds: 60 }, async () => {
    const { stdout } = await lab.machine('m-1').exec(['systemctl', 'list-jobs', '--no-legend'])
    return stdout.trim() === '' ? { value: true } : { not: `jobs: ${stdout}` }
  })
}
