// One machine of each driver boots the live system over the network, from the real server with its own profiles.

import t from 'tap'
import { findImages } from '#images/build.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent } from '../absent.ts'
import { labWithServer, rackOfOne, systemUp } from './booted.ts'
import { remainsOf } from './remains.ts'

const images = process.getuid?.() === 0 ? await findImages() : undefined
const noImages = images ? absent('ip', 'curl') : 'needs root and built images: pilotlight images'
const noQemu = noImages || absent('qemu-system-x86_64', '/usr/lib/ipxe/snponly.efi')
const name = `b${process.pid}`
t.setTimeout(240_000) // a boot while others use the machine

t.test(
  'a container machine boots over the network into systemd with what Ignition wrote',
  { skip: noImages },
  async t => {
    const { lab } = await labWithServer(t, rackOfOne(`${name}c`, { driver: 'container' }), images!) // skipped without
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
    const { lab } = await labWithServer(t, rackOfOne(`${name}q`, { driver: 'qemu' }), images!) // skipped without
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
