// A container machine with a disk, from power-on to the place where its system would start: it installs itself, then starts from
// its disk without a network, and refuses another machine's disk. The boot script, the initrd's programs and the root image are
// real; the network boot and the server that grants the install are this test's, and no system is started.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { findImages } from '#images/build.ts'
import { diskOf, makeDisk } from '#lab/machines/container-disk.ts'
import { absent } from '../../absent.ts'

const isRoot = process.getuid?.() === 0
const images = isRoot ? await findImages() : undefined
const noImages = images ? absent('unshare', 'openssl') : 'needs root and built images: pilotlight images'
t.setTimeout(280_000)

const UUID = '5a0e7f00-0025-4000-8000-0000000000aa'
const OTHER = '5a0e7f00-0025-4000-8000-0000000000bb'
const MAC = '52:54:00:20:00:aa'

/** What a network boot leaves in the machine's memory; called in the place of lab/netboot/main.ts. */
const NETBOOT = (image: string) => `#!/bin/sh
ln "${image}" "$MEMORY/rootfs.squashfs" 2> /dev/null || cp "${image}" "$MEMORY/rootfs.squashfs"
echo 'ignition.firstboot ignition.platform.id=metal ignition.config.url=http://127.0.0.1:8000/ignition coreos.live.rootfs_url=http://127.0.0.1:8000/rootfs.squashfs' > "$MEMORY/cmdline"
echo 'nameserver 127.0.0.1' > "$MEMORY/resolv.conf"
printf 'ADDRESS=10.20.0.11\\nNETMASK=255.255.255.0\\nROUTER=10.20.0.1\\nMAC=${MAC}\\n' > "$MEMORY/lease"
`

/** Answers as the server does: the config and slot.json by HTTP, a grant by HTTPS. What it was asked is in \`asked\`. */
const SERVER = `
const { createServer } = require('node:http'), https = require('node:https'), fs = require('node:fs')
const [, , folder] = process.argv
const file = name => fs.readFileSync(folder + '/' + name)
createServer((request, reply) => reply.end(file(request.url.slice(1)))).listen(8000, '127.0.0.1')
const sum = require('node:crypto').createHash('sha256').update(file('slot.json')).digest('hex')
https.createServer({ key: file('key.pem'), cert: file('ca.pem') }, async (request, reply) => {
  let text = ''
  for await (const piece of request) text += piece
  fs.appendFileSync(folder + '/asked', request.url + ' ' + JSON.stringify(JSON.parse(text || 'null')) + '\\n')
  reply.end(JSON.stringify({ grant: 'install', slotSha256: sum, overwrite: false }))
}).listen(8443, '127.0.0.1')
`

t.test(
  'a container machine installs itself, starts from its disk, and refuses that of another',
  { skip: noImages },
  async t => {
    const folder = t.testdir({ memory: {} })
    const at = (name: string) => join(folder, name)
    const { slot } = images! // skipped without
    const manifest = JSON.parse(readFileSync(join(slot, 'slot.json'), 'utf8')) as { version: string }
    writeFileSync(at('slot.json'), readFileSync(join(slot, 'slot.json')))
    const subject = ['-subj', '/CN=lab', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2', '-nodes']
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', at('key.pem')]
    await run('openssl', ['req', '-x509', ...key, '-out', at('ca.pem'), ...subject], { limitSeconds: 20 })
    writeFileSync(at('ignition'), JSON.stringify(configOf(readFileSync(at('ca.pem'), 'utf8'))))
    writeFileSync(at('server.cjs'), SERVER)
    writeFileSync(at('netboot'), NETBOOT(join(slot, 'rootfs.squashfs')))
    chmodSync(at('netboot'), 0o755)
    const disk = diskOf(folder)
    makeDisk(disk, 16)

    const installed = await boot(folder, UUID, 'network')
    t.match(installed, /pilotlight: installed: image [0-9a-f]{12} in \d+ s on disk/)
    t.match(installed, /Process 1: \/sbin\/init ignition\.firstboot/)
    const asked = readFileSync(at('asked'), 'utf8')
    t.match(
      asked,
      /^\/agent\/v1\/install \{"action":"install","disks":\[\{"name":"disk",[^\n]*"chosen":\["disk"\]/,
    )
    t.match(asked, /"stage":"installing"[^]*"stage":"installed"/)
    t.equal(readlinkSync(join(disk.slot, 'current')), manifest.version)

    rmSync(at('asked'))
    const started = await boot(folder, UUID, 'none')
    t.match(started, `Disk: ${manifest.version}`)
    t.match(started, /Process 1: \/sbin\/init pilotlight\.disk/)
    t.notOk(existsSync(at('asked')), 'no one was asked')

    const fill =
      'mount -o loop "$0" "$1"; fallocate -l $(($(stat -f -c "%f * %S" "$1") - 50000000)) "$1/filler"; umount "$1"'
    const inMount = async (script: string) =>
      run('unshare', ['--mount', 'sh', '-euc', script, disk.file, at('memory')], { limitSeconds: 60 })
    await inMount(fill)
    t.match(
      await boot(folder, UUID, 'none'),
      /pilotlight: the state partition is full: \d\d of \d+ MiB are free/,
    )
    await inMount('mount -o loop "$0" "$1"; rm "$1/filler"; umount "$1"')

    const before = statSync(disk.file).mtimeMs
    const refused = await boot(folder, OTHER, 'none')
    t.match(
      refused,
      `the disk is that of ctl-1, whose UUID is ${UUID}, and this machine's is ${OTHER}. Nothing was written to it.`,
    )
    t.notMatch(refused, /Process 1/)
    t.equal(statSync(disk.file).mtimeMs, before)

    rmSync(disk.file)
    makeDisk(disk, 16)
    const blank = await boot(folder, UUID, 'none')
    t.notMatch(blank, 'Disk: ', 'a blank disk in its place is not started from')
    t.notMatch(blank, 'restarts in 60 s', 'nor waited for: the network is next')
    await boot(folder, UUID, 'network')
    t.match(readFileSync(at('asked'), 'utf8'), /"action":"install"/, 'where the server is asked')

    const diskless = await boot(folder, UUID, 'network', '')
    t.match(diskless, /Process 1: \/sbin\/init ignition\.firstboot/)
    t.notMatch(diskless, /pilotlight: /)

    await run('debugfs', ['-R', `dump -p pilotlight/config.ign ${at('config.ign')}`, disk.file], {
      limitSeconds: 20,
    })
    t.equal(statSync(at('config.ign')).mode & 0o777, 0o600, 'the config has a token in it')
  },
)

/** Runs the boot script in its own namespaces, as far as process 1, whose place is closed; gives what it printed. */
async function boot(
  folder: string,
  uuid: string,
  network: 'network' | 'none',
  disk = diskOf(folder).file,
): Promise<string> {
  const serve = network === 'network' ? `"$SERVE" ${folder}/server.cjs ${folder} & sleep 2;` : ''
  const script = `ip link set lo up; ${serve} sh "$BOOT_SCRIPT"; kill $! 2> /dev/null; true`
  const child = spawn('unshare', ['--net', '--mount', '--propagation', 'slave', 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a process group, which ends as a whole
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      SERVE: process.execPath,
      BOOT_SCRIPT: resolve('lab/machines/container-boot.sh'),
      MEMORY: join(folder, 'memory'),
      NODE: network === 'network' ? join(folder, 'netboot') : '/bin/false',
      MAC,
      UUID: uuid,
      INTERFACE: 'lo',
      GUEST: join(folder, 'closed/guest'),
      CGROUPS: '',
      CGROUP_TABLE: '/dev/null',
      DISK: disk,
      SLOT: diskOf(folder).slot,
      BOOT: 'disk',
    },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      said += bytes.toString()
      if (said.includes('restarts in 60 s')) process.kill(-(child.pid ?? 0), 'SIGKILL')
    })
  await once(child, 'exit')
  return said
}

/** The config of a machine whose site leaves its disk to the machine. */
function configOf(authority: string): object {
  const choice = { match: {}, explicit: false, mirror: false, encrypt: 'no', overwrite: false }
  const files = [
    put('/etc/pilotlight/disk.json', JSON.stringify(choice)),
    put('/etc/pilotlight/agent.env', 'AGENT_URL=https://127.0.0.1:8443\nMACHINE=ctl-1\n'),
    put('/etc/pilotlight/ca.crt', authority),
    put('/etc/pilotlight/authorization', 'Authorization: Bearer x\n', 0o600),
  ]
  return { ignition: { version: '3.4.0' }, storage: { files } }
}

const put = (path: string, text: string, mode = 0o644) => ({
  path,
  mode,
  overwrite: true,
  contents: { source: `data:;base64,${Buffer.from(text).toString('base64')}` },
})
