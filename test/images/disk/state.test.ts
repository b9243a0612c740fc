// What an installed machine says of its state partition (images/live/dracut/disk/state), on this host's file systems: /proc has no
// room, and a file with ext4 in it is a state partition. Mirrors by what mdadm prints of them; real ones are in cards.test.ts.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../../../images/live')
const UUID = '5a0e7f00-1111-4222-8333-444455556666'
const SHARED_UUID = '03000200-0400-0500-0006-000700080009'
const canMount = process.getuid?.() === 0
const skip = !canMount && 'needs root, to mount a file'

/** What the shell prints for `text`, with `folder` in the place of /run/pilotlight and `state` of the partition. */
function shell(folder: string, state: string, text: string, words = ['sh']): string {
  const sourced = `. ${ROOT}/root/usr/lib/pilotlight/disk-common; . ${ROOT}/dracut/disk/state; run=${folder} state=${state} kept=${state}/pilotlight`
  const [command = '', ...first] = words
  const program = `${sourced}; device=/dev/sda7; ${text}`
  return execFileSync(command, [...first, '-euc', program], { encoding: 'utf8' }).trimEnd()
}

/** The same in a mount namespace: what is mounted is gone afterwards. */
const mounting = (folder: string, text: string) =>
  shell(folder, `${folder}/state`, text, ['unshare', '--mount', 'sh'])

/** Shell: this machine shows `uuid`, and has a card with this MAC. */
const hardware = (uuid: string, mac = '52:54:00:00:00:01') =>
  `machine_uuid() { echo '${uuid}'; }; machine_macs() { echo '${mac}'; }; wait_for() { shift; "$@"; }`

/** Shell: this machine's state partitions are these files, each the only partition of a disk of its name. */
const partitions = (...files: string[]) =>
  `state_partitions() { for it in ${files.join(' ')}; do echo "$it"; done; }; disk_of() { echo "/dev/$(basename "$1")"; }`

/** A file with ext4 in it that holds `files`, and its path. */
function stateFile(folder: string, name: string, files: Record<string, string>): string {
  const path = join(folder, name)
  const seed = join(folder, `${name}.seed`)
  execFileSync('mkdir', ['-p', `${seed}/pilotlight`])
  for (const [file, content] of Object.entries(files)) writeFileSync(join(seed, 'pilotlight', file), content)
  writeFileSync(path, '')
  truncateSync(path, 4 << 20)
  execFileSync('mkfs.ext4', ['-q', '-F', '-L', 'pilotlight-state', '-d', seed, path])
  return path
}

const machine = (uuid: string, more: Record<string, unknown> = { version: 'abc' }) =>
  JSON.stringify({ machine: 'far-1', authority: 'f00d', uuid, ...more })

t.test('what a disk is called is said as it is, whatever is in it', t => {
  const folder = t.testdir({})
  const label = String.raw`a\033[2Jb\c d`
  const said = shell(folder, '/proc', `note 'ext4 "${label}" on vda1'; say again`)
  t.equal(said, `pilotlight: ext4 "${label}" on vda1\npilotlight: again`)
  t.equal(shell(folder, '/proc', `(fail '${label}') 2>&1 || true`), `pilotlight: ${label}`)
  t.equal(shell(folder, '/proc', `cat ${folder}/notes`), `ext4 "${label}" on vda1`)
  t.end()
})

t.test(
  'a full state partition is said on the console and to the server, and one with room is not',
  async t => {
    const folder = t.testdir({})
    const full = shell(folder, '/proc', 'look_for_room')
    t.match(full, /^pilotlight: the state partition is full: 0 of 0 MiB are free/)
    t.equal(`pilotlight: ${shell(folder, '/proc', `cat ${folder}/notes`)}`, full)
    t.equal(shell(folder, folder, 'look_for_room'), '')
  },
)

t.test('what goes over to a slot says how and when', async t => {
  const [how, at = ''] = shell(t.testdir({}), '/', 'leaving kexec').split(' ')
  t.equal(how, 'kexec')
  t.ok(Math.abs(Number(at) * 1000 - Date.now()) < 60_000)
})

const OWNERS: readonly (readonly [string, string, Record<string, string>, string])[] = [
  ['this machine', UUID, { 'machine.json': machine(UUID) }, 'installed'],
  ['this machine, cut off', UUID, { 'machine.json': machine(UUID, {}) }, 'unfinished'],
  ['another UUID', UUID, { 'machine.json': machine(UUID.replace('5a', '5b')) }, 'other'],
  ['no machine yet', UUID, {}, 'unfinished'],
  ['a config without a machine', UUID, { 'config.ign': '{}' }, 'unreadable'],
  ['half a file', UUID, { 'machine.json': '{ "mach' }, 'unreadable'],
  // A board that shows no UUID of its own names no machine.
  ['a UUID of many boards', SHARED_UUID, { 'machine.json': machine(SHARED_UUID) }, 'other'],
  [
    'a UUID of many boards and our card',
    SHARED_UUID,
    { 'machine.json': machine(SHARED_UUID, { version: 'abc', macs: ['52:54:00:00:00:01'] }) },
    'installed',
  ],
  [
    'no UUID, and another card',
    '',
    { 'machine.json': machine('', { version: 'abc', macs: ['52:54:00:00:00:02'] }) },
    'other',
  ],
  ['no UUID and no card', '', { 'machine.json': machine('', { version: 'abc', macs: [] }) }, 'other'],
  ['zeros', '0000-0000', { 'machine.json': machine('0000-0000') }, 'other'],
]
for (const [title, uuid, files, own] of OWNERS) {
  t.test(`a state with ${title} is ${own}`, async t => {
    const state = t.testdir({ pilotlight: files })
    t.equal(shell(state, state, `${hardware(uuid)}; own_of`), own)
  })
}

t.test(
  'what cannot be read is what an install left only beside slots without an image',
  { skip },
  async t => {
    const folder = t.testdir({ state: {} })
    const files = {
      whole: stateFile(folder, 'whole', { 'machine.json': machine(UUID) }),
      damaged: stateFile(folder, 'damaged', { 'machine.json': machine(UUID) }),
      blank: join(folder, 'blank'),
      foreign: join(folder, 'foreign'),
      gone: join(folder, 'gone'),
      torn: join(folder, 'torn'),
    }
    // Without its superblock no signature is left, and the rest of it is.
    execFileSync(
      'dd',
      ['if=/dev/zero', `of=${files.damaged}`, 'bs=1k', 'seek=1', 'count=1', 'conv=notrunc'],
      {
        stdio: 'ignore',
      },
    )
    writeFileSync(files.blank, '')
    truncateSync(files.blank, 4 << 20)
    writeFileSync(files.foreign, randomBytes(4 << 20))
    writeFileSync(files.torn, randomBytes(4 << 20))
    const labels =
      'label() { case $1 in */torn) echo _empty ;; */foreign) [ $2 = 3 ] && echo pilotlight_abc || echo _empty ;; esac; }'
    const text = `${hardware(UUID)}; ${partitions(...Object.values(files))}; ${labels}; look_at_states; cat $run/found.json`
    const [states = '', found = ''] = mounting(folder, text).split('\n')
    t.strictSame(JSON.parse(states), {
      whole: 'installed',
      damaged: 'unreadable',
      blank: 'unfinished',
      foreign: 'unreadable',
      gone: 'unreadable',
      torn: 'unfinished',
    })
    t.match(JSON.parse(found), { machine: 'far-1', uuid: UUID, version: 'abc', disk: 'whole' })
  },
)

t.test('a check of the state is waited for, and what it says is kept', { skip }, async t => {
  const folder = t.testdir({})
  const path = stateFile(folder, 'a', { 'machine.json': machine(UUID) })
  // Says that it is checked each minute; here each second is one.
  const check = `count=0; sleep() { is_held && command sleep 0.05; }; check_state ${path}; cat $run/fsck.log; ls $run`
  t.match(shell(folder, '/', check), /clean.*\na\na.seed\nfsck.log$/s)
  // One that takes long: more than 60 seconds, of which each lasts 20 ms.
  const slow = 'sleep() { command sleep 0.02; }'
  t.match(
    shell(folder, '/', `e2fsck() { command sleep 8; }; ${slow}; check_state ${path}`),
    /^pilotlight: the file system of the state on .*a is checked since 1 min/,
  )
  // One that waits for a disk; and one that works meanwhile.
  const minutes = (e2fsck: string) =>
    shell(
      folder,
      '/',
      `e2fsck() { ${e2fsck}; }; sleep() { [ $((checked % 60)) != 0 ] || command sleep 0.05; }; check_state ${path}; echo $((checked / 60)); kill -0 $checker 2> /dev/null || echo ended`,
    )
      .split('\n')
      .slice(-2)
  t.strictSame(minutes('exec > /dev/null; exec sleep 60'), ['31', 'ended'])
  const [worked = '', ended] = minutes('i=0; while [ $i -lt 4000000 ]; do i=$((i + 1)); done')
  t.ok(Number(worked) > 31, `${worked} min`)
  t.equal(ended, 'ended')
})

t.test('a state in which errors were found is repaired before it is written to', { skip }, async t => {
  const folder = t.testdir({ state: {} })
  const path = stateFile(folder, 'a', { 'machine.json': machine(UUID) })
  const debugfs = (request: string) =>
    execFileSync('debugfs', ['-w', '-R', request, path], { stdio: 'ignore' })
  const mount = (more = '') =>
    mounting(folder, `${more}; mount_checked ${path} && own_by $kept/machine.json; echo "problem:$problem"`)
  const checks = 'check_state() { echo checked; : > $run/fsck.log; }'
  t.equal(mount(`${hardware(UUID)}; ${checks}`), 'installed\nproblem:', 'one in order is not checked')
  debugfs('set_super_value state 3')
  t.match(
    mount(`${hardware(UUID)}; ${checks}`),
    /^pilotlight: .* has errors, and is checked\nchecked\npilotlight: the errors .* are not repaired, and it is used as it is.*\ninstalled\nproblem:$/s,
  )
  t.match(mount(hardware(UUID)), /^pilotlight: .* has errors, and is checked\ninstalled\nproblem:$/)
  t.equal(mount(`${hardware(UUID)}; ${checks}`), 'installed\nproblem:')
  const gone = mounting(
    folder,
    `e2fsck() { echo no such disk; }; mount_checked ${path}.gone || echo "$problem"`,
  )
  t.match(gone, /^cannot be mounted \(.*\), nor repaired \(no such disk\)$/)
})

t.test('a state that cannot be mounted says why, in the words of mount and e2fsck', { skip }, async t => {
  const folder = t.testdir({ state: {}, zeros: Buffer.alloc(16 << 20) })
  const broken = stateFile(folder, 'broken', { 'machine.json': machine(UUID) })
  const mount = (path: string) => mounting(folder, `mount_checked ${path} || echo "$problem"`)
  t.match(
    mount(join(folder, 'zeros')),
    /^cannot be mounted \(wrong fs type, bad option, bad superblock .*\), nor repaired \(.*Bad magic number .*\)$/m,
  )
  // The inode of the root folder is a file: e2fsck asks what to do, and the kernel mounts no such thing.
  execFileSync('debugfs', ['-w', '-R', 'set_inode_field <2> mode 0100644', broken], { stdio: 'ignore' })
  t.match(mount(broken), /^cannot be mounted \(.+\), nor repaired \(.*UNEXPECTED INCONSISTENCY.*\)$/m)
})

t.test('of what may be the machine.json of another machine no more than 64 KiB are taken', async t => {
  const long = `${machine(UUID)}${' '.repeat(100_000)}`
  const folder = t.testdir({ pilotlight: { 'machine.json': long } })
  t.equal(
    shell(folder, folder, `${hardware(UUID)}; own_of; stat --format=%s $run/seen.json`),
    'installed\n65536',
  )
})

t.test('the config of a boot is readable by root alone, and is not left behind', async t => {
  const folder = t.testdir({ state: {}, 'machine.key': 'k' })
  const config = '{ "ignition": { "version": "3.4.0" } }'
  writeFileSync(join(folder, 'ignition.json'), config)
  const seen = `jq() { for last; do :; done; [ "$last" = /run/ignition.json ] || { command jq "$@"; return; }; command jq . ${folder}/ignition.json; }
in_config() { echo token; }; sync() { :; }; argument() { :; }`
  const keep = `${seen}; replace() { stat --format=%a $run/config.ign >> $run/modes 2> /dev/null || true; [ "$1" != "\${full-}" ] && cat > "$1"; }`
  shell(folder, `${folder}/state`, `umask 022; ${keep}; keep_config`)
  t.match(readFileSync(join(folder, 'modes'), 'utf8'), /^600\n$/)
  t.same(JSON.parse(readFileSync(join(folder, 'state/pilotlight/config.ign'), 'utf8')), JSON.parse(config))
  t.notOk(readdirSync(folder).includes('config.ign'))
  t.equal(
    shell(folder, `${folder}/state`, `${keep}; full=$kept/config.ign; keep_config || echo full`),
    'full',
  )
  t.notOk(readdirSync(folder).includes('config.ign'), 'also where the state is full')
})

t.test('a mirror that does not start is unreadable, not unfinished', { skip }, async t => {
  const folder = t.testdir({ state: {}, half: '' })
  truncateSync(join(folder, 'half'), 4 << 20)
  const none = 'raid_member() { :; }; mdadm() { return 1; }'
  t.equal(
    mounting(folder, `${hardware(UUID)}; ${partitions(join(folder, 'half'))}; ${none}; look_at_states`),
    '{"half":"unreadable"}',
  )
})

t.test('of several disks the one of this machine is what the server is asked about', { skip }, async t => {
  const folder = t.testdir({ state: {} })
  const other = (name: string) => ({ 'machine.json': machine('5b', { machine: name, version: 'abc' }) })
  const a = stateFile(folder, 'a', other('far-9'))
  const b = stateFile(folder, 'b', other('far-1')) // our name, another mainboard
  const c = stateFile(folder, 'c', other('far-8'))
  const ours = stateFile(folder, 'ours', { 'machine.json': machine(UUID) })
  const found = (...files: string[]) =>
    mounting(
      folder,
      `${hardware(UUID)}; MACHINE=far-1; ${partitions(...files)}; look_at_states > $run/states; jq --raw-output .disk $run/found.json`,
    )
  t.equal(found(a, b, c), 'b')
  t.equal(found(b, ours, a), 'ours')
  t.equal(found(ours, b), 'ours')
  t.equal(found(a, c), 'a')
})

t.test('a label that a shell would run is no version', async t => {
  const version = (label: string) =>
    shell(t.testdir({}), '/', `label() { echo '${label}'; }; slot_version /dev/sda a`)
  t.equal(version('pilotlight_0123456789ab'), '0123456789ab')
  for (const label of ['pilotlight_$(sh /x)', 'pilotlight_a b', 'pilotlight_a;b', '_empty', 'other'])
    t.equal(version(label), '', label)
})

t.test('another mainboard is written to machine.json, and nothing else of it changes', async t => {
  const folder = t.testdir({ pilotlight: { 'machine.json': machine('5b') } })
  t.equal(shell(folder, folder, `${hardware(UUID)}; adopt; own_of`), 'installed')
  t.strictSame(JSON.parse(readFileSync(join(folder, 'pilotlight/machine.json'), 'utf8')), {
    ...JSON.parse(machine(UUID)),
    macs: ['52:54:00:00:00:01'],
  })
})

t.test('machine.json names the hardware, and is read as this machine', async t => {
  const folder = t.testdir({ 'ca.of.config': 'ca', pilotlight: {} })
  const text = `MACHINE=far-1; write_machine abc > $kept/machine.json; own_of`
  t.equal(shell(folder, folder, `${hardware('')}; ${text}`), 'installed')
  t.match(JSON.parse(readFileSync(join(folder, 'pilotlight/machine.json'), 'utf8')), {
    machine: 'far-1',
    authority: /^[0-9a-f]{64}$/,
    uuid: '',
    macs: ['52:54:00:00:00:01'],
    version: 'abc',
  })
})

/** What mdadm prints of a half (`--examine`, with and without `--export`), for partitions that are named after it. */
function mdadm(halves: Record<string, readonly [uuid: string, updated: number, state: string]>): string {
  const rows = Object.entries(halves).map(
    ([device, [uuid, updated, state]]) =>
      `*--export*/dev/${device}) printf 'MD_UUID=${uuid}\\nMD_UPDATE_TIME=${updated}\\nMD_EVENTS=9\\n' ;; ` +
      `*--examine*/dev/${device}) echo '   Array State : ${state} (x)' ;;`,
  )
  const log = `*--assemble*) echo "$*" >> $run/log ;; *--detail*) echo MD_UUID=$(cat $run/runs) ;; *--stop*) echo > $run/runs ;;`
  const devices = Object.keys(halves).map(it => `/dev/${it}`)
  return `wait_for() { :; }; ${partitions(...devices)}; mdadm() { case "$*" in ${rows.join(' ')} ${log} esac; }`
}

t.test('only the halves of one mirror are put together', async t => {
  const folder = t.testdir({ runs: 'none', log: '' })
  const two = mdadm({ sda7: ['u1', 10, 'AA'], sdb7: ['u2', 90, 'A.'], sdc7: ['u1', 10, 'AA'] })
  shell(folder, folder, `${two}; assemble_state u1; assemble_state u2`)
  const [first = '', second = ''] = readFileSync(join(folder, 'log'), 'utf8').split('\n')
  t.match(first, /^--assemble .*--readonly \/dev\/md\/pilotlight-state \/dev\/sda7 \/dev\/sdc7$/)
  t.match(second, / \/dev\/sdb7$/, 'in the place of the first one')
  t.equal(
    shell(folder, folder, `${two}; echo u1 > $run/runs; : > $run/log; assemble_state u1; cat $run/log`),
    '',
  )
})

t.test('of two halves that were used separately, the one that was used last', async t => {
  const latest = (...halves: Parameters<typeof mdadm>) =>
    shell(t.testdir({}), '/', `${mdadm(...halves)}; latest_half u1`)
  t.equal(latest({ sda7: ['u1', 20, 'A.'], sdb7: ['u1', 30, '.A'] }), '/dev/sdb7')
  t.equal(latest({ sda7: ['u1', 40, 'A.'], sdb7: ['u1', 30, '.A'] }), '/dev/sda7')
  t.equal(latest({ sda7: ['u1', 40, 'AA'], sdb7: ['u1', 50, '.A'] }), '', 'the other one was away')
  t.equal(latest({ sda7: ['u1', 40, 'AA'], sdb7: ['u1', 40, 'AA'] }), '')
})

t.test('a half that failed to write is not taken back into the mirror until a person says so', async t => {
  const folder = t.testdir({ pilotlight: { kicked: 'id-of-sdb7\n' } })
  const text = `${partitions('/dev/sda7', '/dev/sdb7', '/dev/sdc7')}; raid_member() { :; };
mdadm() { case "$*" in
*--detail*) echo MD_UUID=u1 ;;
*--examine*--export*) echo MD_UUID=u1; echo "MD_DEV_UUID=id-of-\${3##*/}" ;;
*--examine*) echo '   Array State : AA (x)' ;;
*) echo "mdadm $2 $3" ;;
esac; }; rejoin_state`
  const said = shell(folder, folder, text)
  t.match(said, /^pilotlight: \/dev\/sda7 was away, and catches up with the mirror$/m)
  t.match(
    said,
    /^pilotlight: \/dev\/sdb7 is left out of the mirror, since its disk failed to write: .* rm \S+\/pilotlight\/kicked, and restart/m,
  )
  t.notMatch(said, /sdb7 was away/)
  t.match(readFileSync(join(folder, 'rejoin'), 'utf8'), 'mdadm --re-add /dev/sdc7', 'and those after it are')
})

t.test('the network of a medium is there after a power cut between any two steps of keeping it', async t => {
  const folder = t.testdir({
    netd: { network: { '05-pilotlight-interface.network': 'new\n', '80-other.network': 'image\n' } },
    cut: {},
    pilotlight: { network: { '05-pilotlight-interface.network': 'old\n' } },
  })
  const file = '05-pilotlight-interface.network'
  const sourced = `. ${ROOT}/dracut/disk/install; netd=${folder}/netd; sync() { command sync "$@"; }`
  // After each command the folder is copied, as a disk would have it then.
  const cutting = `count=0; after() { command "$@"; count=$((count + 1)); cp -r $kept ${folder}/cut/$count; }
rm() { after rm "$@"; }; mv() { after mv "$@"; }; mkdir() { after mkdir "$@"; }; cp() { command cp "$@"; }`
  shell(folder, folder, `${sourced}; ${cutting}; keep_lease`)
  const cuts = readdirSync(join(folder, 'cut'))
  t.ok(cuts.length >= 5, `${cuts.length} cuts`)
  const seen = new Set<string>()
  for (const cut of cuts) {
    const taken = join(folder, `taken-${cut}`)
    shell(folder, folder, `kept=${folder}/cut/${cut} netd=${taken}; take_network`)
    const content = readFileSync(join(taken, 'network', file), 'utf8')
    t.match(content, /^(old|new)\n$/, `cut ${cut}`)
    seen.add(content)
  }
  t.equal(seen.size, 2)
  t.strictSame(readdirSync(join(folder, 'pilotlight')), ['network'])
})

t.test(
  'what is kept of the network is on the disk before the old one goes, and an empty file is not taken',
  async t => {
    const folder = t.testdir({
      netd: { network: { '05-pilotlight-interface.network': 'new\n' } },
      pilotlight: {
        network: { '05-pilotlight-interface.network': 'old\n', '06-pilotlight-others.network': '' },
      },
    })
    const steps = shell(
      folder,
      folder,
      `netd=${folder}/taken; take_network; ls $netd/network
. ${ROOT}/dracut/disk/install; netd=${folder}/netd; sync() { echo "sync $*"; }; mv() { echo "mv $1"; command mv "$@"; }; keep_lease`,
    )
    t.strictSame(steps.replaceAll(folder, '').split('\n'), [
      '05-pilotlight-interface.network',
      'sync -f ',
      'mv /pilotlight/network',
      'mv /pilotlight/network.new',
      'sync -f ',
    ])
  },
)
