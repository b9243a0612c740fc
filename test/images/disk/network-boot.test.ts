// What the initrd makes of the server's answer about its disks (images/live/dracut/disk/network-boot): the program itself, on a folder
// in the place of /run, with the answer in the place of HTTP.

import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../../../images/live')

/** Copies the initrd's programs to `folder`, where they find each other, with `hardware`, which they read before they begin. */
function programs(folder: string, hardware: string): void {
  const here = (text: string) =>
    text.replaceAll('/usr/lib/pilotlight', folder).replaceAll('run=/run/pilotlight', `run=${folder}/run`)
  for (const name of ['state', 'encryption', 'install', 'choose.jq', 'inventory'])
    copyFileSync(join(ROOT, 'dracut/disk', name), join(folder, name))
  for (const name of ['root/usr/lib/pilotlight/disk-common', 'dracut/disk/network-boot'])
    writeFileSync(join(folder, name.split('/').at(-1) ?? ''), here(readFileSync(join(ROOT, name), 'utf8')))
  writeFileSync(join(folder, 'hardware'), hardware)
  mkdirSync(join(folder, 'run/install'), { recursive: true })
}

/** Asks once, with `answer` as the server's; gives what was printed and the status. */
function ask(
  folder: string,
  status: number,
  answer: Record<string, unknown>,
  { explicit = false, disks = [] as readonly Record<string, unknown>[], more = '' } = {},
): { readonly status: number | null; readonly said: string } {
  programs(
    folder,
    `post() { [ "$1" = install ] || return 1; cp ${folder}/answer.json $work/answer; echo ${status}; }
${more}
main() { why='chose vda'; ask; echo "grant $grant: $(jq --raw-output '.why // ""' $work/answer)"; }`,
  )
  const work = join(folder, 'run/install')
  writeFileSync(join(folder, 'answer.json'), JSON.stringify(answer))
  writeFileSync(join(work, 'disk.json'), JSON.stringify({ match: {}, explicit }))
  writeFileSync(join(work, 'disks.json'), JSON.stringify(disks))
  writeFileSync(join(work, 'choice.json'), JSON.stringify({ chosen: ['vda'], error: false, why: 'x' }))
  const {
    status: ended,
    stdout,
    stderr,
  } = spawnSync('sh', [join(folder, 'network-boot')], { encoding: 'utf8' })
  return { status: ended, said: stdout + stderr }
}

const refusal = (code: string) => ({ status: 409, code, detail: `no: ${code}` })

t.test('only a disk in use that the site did not name lets a machine run from memory', async t => {
  const inUse = ask(t.testdir(), 409, refusal('DISK_IN_USE'))
  t.match(inUse, { status: 0, said: 'grant ram: no: DISK_IN_USE' })
  t.match(ask(t.testdir(), 409, refusal('DISK_IN_USE'), { explicit: true }), { status: 1 })
  for (const code of ['STATE_MISSING', 'STATE_OF_ANOTHER_MACHINE', 'INSTALLED_ELSEWHERE', 'NEW_CODE']) {
    const ended = ask(t.testdir(), 409, refusal(code))
    t.match(ended, { status: 1, said: `pilotlight: no: ${code}` }, code)
    t.notMatch(ended.said, 'grant')
  }
})

t.test('the question has which state cannot be read', async t => {
  const folder = t.testdir()
  ask(
    folder,
    200,
    { grant: 'enter' },
    {
      disks: [
        { name: 'vda', own: 'unreadable' },
        { name: 'vdb', own: null },
      ],
    },
  )
  const asked = JSON.parse(readFileSync(join(folder, 'run/install/ask'), 'utf8')) as { disks: unknown }
  t.match(asked.disks, [
    { name: 'vda', own: 'unreadable' },
    { name: 'vdb', own: null },
  ])
})

t.test(
  'a boot shows the key on its disk by what the server seals to it, anew with each question',
  async t => {
    const folder = t.testdir({ run: { 'found.key': 'AGE-SECRET-KEY-1', 'seen.key': 'another' } })
    const more = `MACHINE=far-1
age() { cat > ${folder}/sealed; [ "$*" = "--decrypt --identity ${folder}/run/found.key" ] && printf opened; }
sleep() { :; }
post() {
  case $1 in
  token) cp "$2" ${folder}/prove; echo '{ "challenge": "c", "proof": "sealed" }' > $work/answer; echo 200 ;;
  install)
    cat "$2" >> ${folder}/questions
    cp ${folder}/answer.json $work/answer
    if [ -e ${folder}/again ]; then echo 200; else touch ${folder}/again; echo 503; fi ;;
  esac; }`
    const disks = [{ name: 'vda', table: '9d0a1c3e-5b7f-4c2d-8e1f-00112233aabb' }]
    t.match(ask(folder, 200, { grant: 'enter' }, { disks, more }), { status: 0 })
    const text = (name: string) => readFileSync(join(folder, name), 'utf8')
    t.same(JSON.parse(text('prove')), { machine: 'far-1' })
    t.equal(text('sealed'), 'sealed\n')
    const questions = text('questions').trim().split('\n')
    t.equal(questions.length, 2)
    for (const question of questions) t.match(JSON.parse(question), { proof: 'opened', disks })
    t.notOk(existsSync(join(folder, 'run/found.key')), 'and it is not left behind')
  },
)

t.test('without such a key, or an answer, there is no proof', async t => {
  const refused = t.testdir({ run: { 'found.key': 'AGE-SECRET-KEY-1' } })
  for (const folder of [t.testdir({}), refused]) {
    ask(folder, 200, { grant: 'enter' })
    t.notMatch(readFileSync(join(folder, 'run/install/ask'), 'utf8'), 'proof')
  }
})

/** Shell: the disks that the kernel shows, one list a look: `sda 1 disk` and so on. */
const shown = (folder: string, looks: readonly string[]) =>
  `sleep() { :; }; look=0
lsblk() { look=$(($(cat ${folder}/look 2> /dev/null || echo 0) + 1)); echo $look > ${folder}/look
  case $look in ${looks.map((disks, index) => `${index + 1}) printf '${disks}' ;;`).join(' ')} *) printf '${looks.at(-1)}' ;; esac; }`

t.test('waits until the disks have been the same for a while', async t => {
  const early = 'sda 1 disk\\n'
  const late = `${early}sdb 2 disk\\n`
  for (const [looks, count] of [
    [[early], 11],
    // A RAID controller shows its disk when the first one has been there for a while.
    [[...Array<string>(8).fill(early), late], 19],
    [Array.from({ length: 80 }, (_, at) => `sda ${at} disk\\n`), 60], // and not for ever
  ] as const) {
    const folder = t.testdir()
    programs(folder, `${shown(folder, looks)}; main() { wait_until_steady 10 60; }`)
    t.equal(spawnSync('sh', [join(folder, 'network-boot')], { encoding: 'utf8' }).stderr, '')
    t.equal(Number(readFileSync(join(folder, 'look'), 'utf8')), count)
  }
})

t.test('enters no image that the server did not have the machine write', async t => {
  const folder = t.testdir()
  const known = (roothashes: readonly string[] | undefined, built = false) => {
    programs(
      folder,
      `disk_of() { echo /dev/vda; }; state_device() { echo x; }; raid_member() { return 1; }; mount_state() { :; }
slot_version() { echo "image-$2"; }; slot_roothash() { echo "hash-$2"; }; look_for_room() { :; }; own_of() { echo installed; }
keep_config() { :; }; keep_lease() { :; }; open_slot() { echo "opens $2 $3 $4"; }; note() { echo "note: $1"; }; leaving() { :; }
main() {
  MACHINE=far-1
  mkdir -p $kept; echo '{ "machine": "far-1", "version": "image-b" }' > $kept/machine.json
  enter
}`,
    )
    const install = join(folder, 'install')
    const built64 = join(folder, built ? 'answer' : 'none')
    writeFileSync(install, readFileSync(install, 'utf8').replaceAll('/etc/pilotlight/rootfs.sha256', built64))
    writeFileSync(join(folder, 'answer'), '')
    const answer = { grant: 'enter', ...(roothashes && { roothashes }) }
    writeFileSync(join(folder, 'run/install/answer'), JSON.stringify(answer))
    writeFileSync(join(folder, 'run/install/disks.json'), '[{ "name": "vda", "path": "/dev/vda" }]')
    writeFileSync(join(folder, 'run/found.json'), '{ "disk": "vda", "version": "image-b" }')
    const { stdout, stderr } = spawnSync('sh', [join(folder, 'network-boot')], { encoding: 'utf8' })
    return stdout + stderr
  }
  t.match(known(['hash-a', 'hash-b']), /^opens b hash-b image-b$/m)
  t.match(known(['hash-a']), /^note: .*image image-b on \/dev\/vda: starts image-a\nopens a hash-a image-a$/m)
  const none = known(['hash'])
  t.match(none, /did not have this machine write the image image-b on \/dev\/vda, and nothing was started/)
  t.notMatch(none, /^opens/m)
  t.match(known(undefined), /^opens b/m, 'a server that knows none')
  t.notMatch(known(undefined, true), /^opens/m, 'is not enough for an initrd that was built for one image')
})

/** Shell: the config of a machine with a disk, and a server that takes reports. */
const booting = (folder: string, look: string) => `
in_config() { case $1 in */disk.json) echo '{ "match": {} }' ;; */agent.env) printf 'AGENT_URL=https://x\\nMACHINE=far-1\\n' ;; *) echo x ;; esac; }
set_clock() { :; }; LIMIT_SECONDS=30
look() { ${look}; }
ask() { exit 1; }
post() { cat "$2" >> ${folder}/reports; echo 204; }`

t.test('a boot that takes too long is restarted, and the server has the reason', async t => {
  const folder = t.testdir({ emergency: '#!/bin/sh\nexec kill -KILL $PPID\n', reports: '' })
  chmodSync(join(folder, 'emergency'), 0o755)
  // What it waits for is ended by no signal; a second is a hundredth of one.
  const hang = `trap '' TERM; while :; do command sleep 0.1; done`
  const fast = 'sleep() { exec sleep 0.1; }'
  programs(folder, `${fast}; ${booting(folder, hang)}`)
  const { stdout } = spawnSync('sh', [join(folder, 'network-boot')], { encoding: 'utf8', timeout: 30_000 })
  t.match(
    stdout,
    /^pilotlight: failed: this boot took longer than 0 minutes, and was ended while it looked at/m,
  )
  t.match(JSON.parse(readFileSync(join(folder, 'reports'), 'utf8')), {
    stage: 'failed',
    text: 'this boot took longer than 0 minutes, and was ended while it looked at its disks',
  })
})

t.test('a boot that ends in time leaves nothing behind that would end it', async t => {
  const folder = t.testdir({ reports: '' })
  programs(folder, booting(folder, ':'))
  const began = performance.now()
  // It has its output as long as anything of it runs.
  t.equal(spawnSync('sh', [join(folder, 'network-boot')], { encoding: 'utf8' }).stderr, '')
  t.ok(performance.now() - began < 8000)
  t.equal(readFileSync(join(folder, 'reports'), 'utf8'), '')
})

t.test('a disk that does not answer keeps none of the others from being looked at', async t => {
  const folder = t.testdir()
  const names = Array.from({ length: 10 }, (_, at) => `vd${'abcdefghij'[at]}`)
  copyFileSync(join(ROOT, 'dracut/disk/inventory'), join(folder, 'inventory'))
  // Two of them hang.
  const holds = 'case $1 in */vdb | */vdj) exec sleep 60 ;; esac\necho "ext4 on ${1#/dev/}"\n'
  writeFileSync(join(folder, 'holds'), holds)
  const listed = {
    blockdevices: names.map(name => ({ name, path: `/dev/${name}`, size: 1e9, type: 'disk' })),
  }
  writeFileSync(join(folder, 'list.json'), JSON.stringify(listed))
  const lsblk = `#!/bin/sh\ncase $1 in --json) cat ${folder}/list.json ;; *) for each in ${names.join(' ')}; do echo "$each disk"; done ;; esac\n`
  for (const [name, text] of [
    ['lsblk', lsblk],
    ['blockdev', '#!/bin/sh\nexit 1\n'],
  ] as const)
    writeFileSync(join(folder, name), text, { mode: 0o755 })
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, PILOTLIGHT_READ_SECONDS: '2' }
  const output = execFileSync('sh', ['-c', `sh ${folder}/inventory > ${folder}/disks.json`], {
    env,
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  t.equal(output, null)
  const disks = JSON.parse(readFileSync(join(folder, 'disks.json'), 'utf8')) as {
    name: string
    holds: string
  }[]
  for (const { name, holds } of disks)
    t.equal(holds, name === 'vdb' || name === 'vdj' ? `what cannot be read on ${name}` : `ext4 on ${name}`)
  t.equal(disks.length, 10)
})

const skip = process.getuid?.() !== 0 && 'needs root, to mount a file'
t.test('enters the disk that the server was asked about, also with another mainboard', { skip }, async t => {
  const folder = t.testdir({
    seed: { pilotlight: { 'machine.json': '', 'machine.key': 'AGE-SECRET-KEY-1' } },
  })
  const was = { machine: 'far-1', authority: 'f00d', uuid: '5b', version: 'abc' }
  writeFileSync(join(folder, 'seed/pilotlight/machine.json'), JSON.stringify(was))
  const disk = join(folder, 'vda')
  writeFileSync(disk, '')
  truncateSync(disk, 4 << 20)
  execFileSync('mkfs.ext4', ['-q', '-F', '-d', join(folder, 'seed'), disk])
  programs(
    folder,
    `part() { echo ${disk}; }; slot_version() { [ "$2" = b ] || echo abc; }; slot_roothash() { echo 00; }
state_partitions() { echo ${disk}; }; disk_of() { echo ${disk}; }
open_slot() { echo "opens $2 $4 of $1"; }; keep_config() { :; }; keep_lease() { :; }; look_for_room() { :; }
machine_uuid() { echo 5a; }; machine_macs() { echo 52:54:00:00:00:01; }
main() {
  MACHINE=far-1
  look_at_states
  jq --null-input --arg path ${disk} '[{ name: "sdz", path: "/dev/sdz" }, { name: "vda", path: $path, own: "other" }]' > $work/disks.json
  echo '{ "grant": "enter" }' > $work/answer
  enter
  cat $kept/machine.json $run/machine.key $run/notes
}`,
  )
  const { stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', join(folder, 'network-boot')], {
    encoding: 'utf8',
  })
  t.equal(stderr, '')
  t.match(stdout, `opens a abc of ${disk}`)
  t.match(stdout, /"uuid": "5a"/)
  t.match(stdout, /"machine": "far-1",\n {2}"authority": "f00d"/)
  t.match(stdout, 'AGE-SECRET-KEY-1')
  t.match(
    stdout,
    /^\S+vda was written by hardware with the UUID 5b, and is from now on that of this one, 5a$/m,
  )
})

t.test('nothing is written to a disk that is not the one that was looked at', t => {
  const seen = [
    { name: 'vda', path: '/dev/vda', bytes: 64, serial: 'S?1', model: null },
    { name: 'vdb', path: '/dev/vdb', bytes: 32, serial: null, model: 'M1' },
  ]
  const problem = (now: readonly Record<string, unknown>[], disks = '/dev/vda,/dev/vdb') => {
    const folder = t.testdir({ work: {}, now: JSON.stringify({ blockdevices: now }) })
    writeFileSync(join(folder, 'work/disks.json'), JSON.stringify(seen))
    const text = `. ${ROOT}/dracut/disk/install; work=${folder}/work; lsblk() { cat ${folder}/now; }
still_same ${disks} && echo the same || echo "$problem"`
    return execFileSync('sh', ['-euc', text], { encoding: 'utf8' }).trim()
  }
  const vda = { name: 'vda', size: 64, serial: ' S\u00e41 ', model: '' }
  const vdb = { name: 'vdb', size: '32', serial: null, model: 'M1' }
  t.equal(problem([vda, vdb]), 'the same')
  t.match(
    problem([{ ...vda, serial: 'S2' }, vdb]),
    /^\/dev\/vda is another disk than the one that was chosen \(S\?1, 64 bytes, and now S2, 64 bytes\): nothing was written$/,
  )
  t.match(problem([vda, { ...vdb, size: 33 }]), /^\/dev\/vdb is another disk .*now no serial, 33 bytes/)
  t.match(problem([vda, { ...vdb, model: 'M2' }]), /^\/dev\/vdb is another disk/)
  t.match(problem([vda]), /^\/dev\/vdb is gone/)
  t.equal(problem([vda], '/dev/vda'), 'the same', 'of others nothing is asked')
  t.end()
})
