// The programs of the initrd that encrypt a state partition and have the server open it, against a real server: with the live root's
// own cryptsetup, age, jq and curl, and a LUKS2 header in a file. Only device-mapper is absent: opening is `--test-passphrase`, and
// a file with ext4 is what it would show. The TPM and the kernel's part are in test/images/disk/encryption-booted.test.ts.

import { execFile, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { findArtefact } from '#host/cache.ts'
import { liveRootRecipe } from '#images/live-root.ts'
import { agentCall } from '../../server/agent-call.ts'
import { site, testServer, type TestServer } from '../../server/serving.ts'
import { machineKey } from '../../machine-key.ts'
import { SLOT_VERSION, slotFiles } from '../../slot-files.ts'

const MAC = '52:54:00:20:00:01'
const MINE = '5a0e7f00-0023-4000-8000-000000000001'
const LIVE = join(import.meta.dirname, '../../../images/live')

/** Around each program: the initrd's own, and what stands in for device-mapper, firmware and TPM. */
const AROUND = String.raw`set -eu
. /usr/lib/pilotlight/disk-common
. $lib/state
sed '/^main$/d; /hardware/d' $lib/network-boot > /x/network-boot
. /x/network-boot
work=/x/work mapper=/x/mapper state=/x/state kept=/x/state/pilotlight KEY_SECONDS=12
mkdir -p $work $run
device=/x/device MACHINE=ctl-1 encrypt=auto
AGENT_URL=$(cat /x/url) authority=/x/ca.crt
cp /x/ca.crt $run/ca.of.config
cp /x/authorization $work/authorization
machine_uuid() { echo ${MINE}; }
has_tpm() { false; }
network_for_key() { :; }
report() { echo "report $1: $2"; }
cryptsetup() {
    case $1 in
    open)
        shift
        command cryptsetup open --test-passphrase "$@" || return 1
        [ -e $mapper ] || truncate -s 32M $mapper
        ;;
    *) command cryptsetup "$@" ;;
    esac
}
`

const artefact = await findArtefact(liveRootRecipe)
const root = artefact && join(artefact.path, 'root')
const skip =
  process.getuid?.() !== 0
    ? 'needs root'
    : root === undefined
      ? 'needs the live root: bin/pilotlight images build'
      : spawnSync('unshare', ['--mount', 'true']).status === 0
        ? false
        : 'needs mount namespaces'

/** A server with a machine that was granted a disk, and a folder that programs run with. */
async function granted(t: Test) {
  const dataPath = t.testdir({
    profiles: {
      'controller.json': JSON.stringify({
        id: 'controller',
        ignition_id: 'a.ign.njk',
        boot: {
          kernel: '/assets/live/vmlinuz',
          args: ['coreos.live.rootfs_url={{ server.url }}/assets/live/rootfs.squashfs'],
        },
      }),
    },
    ignition: { 'a.ign.njk': '{"ignition":{"version":"3.4.0"},"token":{{ agent.token | json }}}' },
    assets: slotFiles(),
    x: {},
  })
  const statePath = join(dataPath, 'state')
  const server = await testServer(t, { dataPath, statePath, assetsPath: join(dataPath, 'assets') })
  const disk = { match: {}, explicit: true, mirror: false, encrypt: 'auto', overwrite: false }
  await server.put('/v1/sites/rack-1', { ...site, machines: site.machines.map(it => ({ ...it, disk })) })
  await server.get(`/ipxe?mac=${MAC}`)
  const { token } = (await (await server.get(`/ignition?mac=${MAC}`)).json()) as { token: string }
  const seen = { name: 'sda', bytes: 1e12, serial: 'S1', holds: null }
  const ask = { action: 'install', disks: [seen], chosen: ['sda'], found: null }
  await agentCall(server)('install', token, ask)
  const x = join(dataPath, 'x')
  copyFileSync(join(statePath, 'ca.crt'), join(x, 'ca.crt'))
  writeFileSync(join(x, 'url'), server.agentUrl)
  writeFileSync(join(x, 'authorization'), `Authorization: Bearer ${token}\n`)
  writeFileSync(join(x, 'device'), Buffer.alloc(64 << 20))
  return { server, x }
}

/** Runs a program in the live root, with the folder at /x; gives what it printed, its errors among it, and how it ended. */
async function shell(x: string, program: string): Promise<{ readonly status: number; readonly out: string }> {
  writeFileSync(join(x, 'program'), AROUND + program)
  mkdirSync(join(x, '../mounts'), { recursive: true })
  const lines = [
    'mount -t tmpfs memory "$1/../mounts"; cd "$1/../mounts"; mkdir upper work root',
    'mount -t overlay -o "lowerdir=$2,upperdir=upper,workdir=work" root root',
    'mkdir -p root/x root/usr/lib/pilotlight; mount --bind "$1" root/x; mount -t proc proc root/proc; mount --rbind /dev root/dev',
    'cp "$3"/dracut/disk/* "$3"/root/usr/lib/pilotlight/disk-common root/usr/lib/pilotlight/',
    'exec chroot root sh /x/program 2>&1',
  ]
  const argv = ['--mount', 'sh', '-euc', lines.join('\n'), 'sh', x, root ?? '', LIVE]
  try {
    const { stdout } = await promisify(execFile)('unshare', argv, { encoding: 'utf8', timeout: 120_000 })
    return { status: 0, out: stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { status: code, out: stdout + stderr }
  }
}

/** Shell: the header alone, as an install that was cut off there leaves it. */
const HEADER = `luks=$(cat /proc/sys/kernel/random/uuid); printf secret > $run/disk.secret
cryptsetup luksFormat --batch-mode --type luks2 --uuid $luks --subsystem "pilotlight $(uuid_or_none)" --pbkdf pbkdf2 \
  --pbkdf-force-iterations 1000 --key-file $run/disk.secret $device
`
const INSTALL = String.raw`
can_encrypt || { echo "refused $problem"; exit 1; }
prepare_key
mkdir -p $work/seed/pilotlight
write_machine '' > $work/seed/pilotlight/machine.json
encrypt_state $device || { echo "problem $problem"; exit 1; }
echo "own $(own_of_encrypted $device /dev/sda), opened by $OPENED"
mkdir -p $kept/network
printf 'ADDRESS=10.20.0.11\n' > $kept/lease
printf '[Match]\n' > $kept/network/10-pilotlight-boot.network
write_machine 0123456789ab > $kept/machine.json
write_clear $device $kept/machine.json
echo "own $(own_of_encrypted $device /dev/sda)"
cp $run/disk.secret /x/secret
`

async function keysOf(server: TestServer) {
  return (await (await server.post('/v1/machines/ctl-1/disk/recover', {}, server.admin)).json()) as {
    uuid: string
    key: string
    holder: string
  }[]
}

t.setTimeout(600_000)
t.test(
  'an order is spent by what an encrypted disk has in clear, and the disk is not opened',
  { skip },
  async t => {
    const { server, x } = await granted(t)
    t.match(await shell(x, INSTALL), { status: 0 })
    const call = agentCall(server)
    const token = readFileSync(join(x, 'authorization'), 'utf8').trim().split(' ').at(-1) ?? ''
    await call('report', token, { stage: 'installed', install: { version: SLOT_VERSION, slot: 'a' } })
    const key = await machineKey()
    await server.put('/v1/machines/ctl-1/bundle', [{ path: '/etc/x', mode: 0o600, content: 'x' }])
    await call('enroll', token, { key: key.recipient })
    await server.post('/v1/machines/ctl-1/approve', {}, server.admin)
    const enrolled = JSON.parse((await call('enroll', token, { key: key.recipient })).text) as {
      challenge: string
    }
    t.equal((await call('bundle', token, { answer: await key.open(enrolled.challenge) })).status, 200)
    const shown = await shell(
      x,
      `rm -f $mapper; state_partitions() { echo $device; }; disk_of() { echo /dev/sda; }
look_at_states; jq --raw-output .machine $run/found.json; stat --format=%a $run/found.key; prove > /x/proof; [ -e $mapper ] || echo closed`,
    )
    t.match(shown, { out: /^\{"sda":"installed"\}\nctl-1\n600\nclosed\n$/ })
    const proof = readFileSync(join(x, 'proof'), 'utf8')
    t.match(proof, /^[\w-]{43}$/)
  },
)

t.test('the server keeps the key of an install and opens the disk at each boot', { skip }, async t => {
  const { server, x } = await granted(t)
  const installed = await shell(x, INSTALL)
  t.match(installed, { status: 0, out: /^own unfinished, opened by server\nown installed\n/m })
  const [key] = await keysOf(server)
  const secret = readFileSync(join(x, 'secret'), 'utf8')
  t.equal(key?.key.replaceAll('-', ''), secret)
  t.equal(key?.holder, 'server')
  const header = readFileSync(join(x, 'device')).toString('latin1')
  t.notMatch(header, secret)
  t.match(header, `"ca":"-----BEGIN CERTIFICATE-----`)

  const opened = await shell(x, 'open_encrypted $device; echo "opened by $OPENED"; ls $run')
  t.match(opened, { status: 0, out: /waits for its key\n[^]*opened by server\n/ })
  t.notMatch(opened.out, /disk\.(secret|key)|typed/, 'and leaves no key in memory')
  t.match(
    await server.get('/v1/events?machine=ctl-1').then(it => it.text()),
    /was handed the key of its disk/,
  )

  await server.post('/v1/machines/ctl-1/reject', {}, server.admin)
  const late = `{ until [ -e $run/disk.key ]; do sleep 0.1; done; printf WRONG > $run/typed.a
    while [ -e $run/typed.a ]; do sleep 0.1; done; mv /x/secret $run/typed.a; } &\n`
  await server.close()
  const typed = await shell(x, `${late} open_encrypted $device; echo "opened by $OPENED"`)
  t.equal(typed.status, 0)
  t.match(typed.out, /waits for the key of the disk: https:\S+ is not reached: /)
  t.match(typed.out, /what was typed is not the recovery key[^]*opened by recovery/)
})

t.test(
  'a copy of the machine without its disk, another disk and another machine open nothing',
  { skip },
  async t => {
    const { server, x } = await granted(t)
    t.equal((await shell(x, INSTALL)).status, 0)
    const [key] = await keysOf(server)
    const identity = 'age-keygen 2> /dev/null | grep AGE-SECRET-KEY-1'
    const forged = await shell(
      x,
      `clear_record $device | jq --arg identity "$(${identity})" '.identity = $identity' > $run/clear.new; put_clear $device; open_encrypted $device`,
    )
    t.match(forged, {
      status: 1,
      out: /sealed its challenge to another disk[^]*no key opened .* within 0 minutes/,
    })
    const renamed = await shell(
      x,
      `cryptsetup luksUUID --batch-mode --uuid 11111111-2222-4333-8444-555555555555 $device; open_encrypted $device`,
    )
    t.match(renamed, { status: 1, out: /the server answers 403: .*keeps no key for LUKS 11111111/ })
    const elsewhere = await shell(
      x,
      `machine_uuid() { echo 11111111-2222-4333-8444-555555555555; }; own_of_encrypted $device /dev/sda; jq --raw-output '.machine + " " + .uuid' $run/seen.json`,
    )
    t.match(elsewhere, { status: 0, out: `other\nctl-1 ${MINE}\n` })
    t.match(key?.key, /^([A-Z2-7]{4}-){7}[A-Z2-7]{4}$/)
  },
)

t.test(
  'what is erased opens with no key, and what cannot be encrypted is refused before it',
  { skip },
  async t => {
    const { x } = await granted(t)
    t.equal((await shell(x, INSTALL)).status, 0)
    const erased = await shell(
      x,
      `part() { case $1 in */sda) echo $device ;; *) echo /x/none ;; esac }
     erase_keys /dev/sdb; cryptsetup open --key-file /x/secret $device && echo "still closed:$erased"
     erase_keys /dev/sda; cryptsetup open --key-file /x/secret $device || echo "closed:$erased"`,
    )
    t.match(erased, { status: 0, out: /^still closed:\n[^]*\nclosed: \/dev\/sda \n$/ })
    const noTpm = await shell(x, 'encrypt=tpm; can_encrypt || echo "$problem"')
    t.match(noTpm.out, /encrypt: tpm.*shows no TPM 2\.0.*or write encrypt: server/)
    const later = await shell(x, 'encrypt=cloud; can_encrypt || echo "$problem"')
    t.match(later.out, /encrypt: cloud.*not known to this image/)
    const container = join(import.meta.dirname, '../../../lab/machines/container-disk.sh')
    copyFileSync(container, join(x, 'hardware'))
    const refused = await shell(x, '. /x/hardware; can_encrypt || echo "$problem"')
    t.match(refused.out, /a container machine cannot encrypt: its kernel has no device-mapper/)
  },
)

t.test(
  'a header without a machine is what an install begins with, or damaged beside an image',
  { skip },
  async t => {
    const { x } = await granted(t)
    const cut = await shell(
      x,
      `${HEADER}label() { echo "$image"; }; image=_empty; own_of_encrypted $device /dev/sda; image=; own_of_encrypted $device /dev/sda
machine_uuid() { echo 5b; }; own_of_encrypted $device /dev/sda; jq --raw-output .uuid $run/seen.json
cryptsetup config --subsystem other $device; own_of_encrypted $device /dev/sda`,
    )
    t.same(cut, { status: 0, out: `unfinished\nunreadable\nother\n${MINE}\nunreadable\n` })
  },
)

t.test('the header says what machine.json says, and is written only where that is new', { skip }, async t => {
  const { x } = await granted(t)
  t.equal((await shell(x, INSTALL)).status, 0)
  const told = await shell(
    x,
    `writes=0; put_clear() { writes=$((writes + 1)); cryptsetup token import --token-id 31 --token-replace --json-file $run/clear.new "$1"; }
what() { clear_record $device | jq --raw-output '[.machine.version, .url, .lease, (.identity | length), .holder] | join(" ")'; }
unset AGENT_URL; write_clear $device $kept/machine.json; echo "$writes $(what)"
write_machine fedcba987654 > $kept/machine.json; write_clear $device $kept/machine.json; echo "$writes $(what)"
AGENT_URL=https://10.20.0.9:8443; write_clear $device $kept/machine.json; echo "$writes $(what)"`,
  )
  t.match(told, {
    status: 0,
    out: /^0 0123456789ab https:\S+ ADDRESS=10\.20\.0\.11\n 74 server\n1 fedcba987654 https:\S+ ADDRESS=10\.20\.0\.11\n 74 server\n2 fedcba987654 https:\/\/10\.20\.0\.9:8443 /,
  })
})

t.test('no key that the server does not keep encrypts anything', { skip }, async t => {
  const { server, x } = await granted(t)
  writeFileSync(join(x, 'authorization'), `Authorization: Bearer ${'x'.repeat(43)}\n`)
  const refused = await shell(x, `KEY_SECONDS=3\n${INSTALL}`)
  t.match(refused, {
    status: 1,
    out: /did not take the key of the disk within 0 minutes, so nothing was written/,
  })
  await server.close()
  const away = await shell(x, `KEY_SECONDS=3\n${INSTALL}`)
  t.match(away, { status: 1, out: /so nothing was written: .*onnect/ })
  t.ok(readFileSync(join(x, 'device')).every(byte => byte === 0))
})
