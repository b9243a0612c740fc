// A person logs in to a node: sshd of the live system's own root, with the files of a machine's config, in namespaces.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { spawn } from 'node:child_process'
import t from 'tap'
import { findArtefact } from '#host/cache.ts'
import { run, type CommandFailed } from '#host/command.ts'
import { liveRootRecipe } from '#images/live-root.ts'
import { waitUntil } from '#progress/wait.ts'
import { compileSite } from '#rack/site/compile.ts'
import { parseSite } from '#rack/site/read.ts'
import { directoryFiles } from '#server/boot/render/directory-files.ts'
import { Templates } from '#server/boot/render/templates.ts'
import { absent, isOnPath, skipFile, whyNoNamespaces } from '../absent.ts'
import { endChild } from '../end-child.ts'

const root = (await findArtefact(liveRootRecipe))?.path
const whyNot =
  absent('ssh', 'ssh-keygen', 'ip') ||
  whyNoNamespaces('--mount', '--net', '--pid', '--fork') ||
  (root === undefined || !isOnPath(join(root, 'root/usr/sbin/sshd'))
    ? 'needs the live root: bin/pilotlight images build'
    : false)
skipFile(t, whyNot)

const templates = new Templates(directoryFiles(join(import.meta.dirname, '../..')))
type File = { path: string; mode: number; contents: { source: string; compression?: string } }

/** The files of the config of a site's first machine. */
function filesOf(text: string): { path: string; mode: number; bytes: Buffer }[] {
  const { machines, groups } = compileSite(parseSite('site.yaml', text))
  const config = JSON.parse(
    templates.render('ignition/node.ign.njk', {
      server: { url: 'http://10.20.0.1:8080', address: '10.20.0.1', addresses: ['10.20.0.1'] },
      agent: { url: 'https://10.20.0.1:8443', ca: '', token: 'once' },
      machine: machines[0],
      metadata: groups[0]?.metadata,
      labels: {},
      profile: { id: 'controller' },
    }),
  ) as { storage: { files: File[] } }
  return config.storage.files.map(({ path, mode, contents }) => {
    const bytes = Buffer.from(contents.source.replace('data:;base64,', ''), 'base64')
    return { path, mode, bytes: contents.compression === 'gzip' ? gunzipSync(bytes) : bytes }
  })
}

/** A site whose console takes a password of this hash. */
function siteWithPassword(hash: string) {
  const site = {
    name: 'r',
    network: { subnet: '10.20.0.0/24' },
    machines: [{ name: 'ctl-1', mac: '52-54-00-20-00-01', role: 'controller' }],
    console: { login: 'password', password_hash: hash },
  }
  return parseSite('site.yaml', JSON.stringify(site))
}

const agent = readFileSync(join(import.meta.dirname, '../../ignition/scripts/agent'), 'utf8')
const unit = readFileSync(join(import.meta.dirname, '../../ignition/units/pilotlight-ssh.service'), 'utf8')
const [, before = ''] = /^ExecStartPre=(.*)$/m.exec(unit) ?? []
const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? []

t.test('a node with keys of the site file', { timeout: 120_000 }, async t => {
  const folder = t.testdir({ node: {}, keys: {} })
  const at = (path: string) => join(folder, path)
  const makeKey = async (name: string, ...more: string[]) => {
    await run('ssh-keygen', ['-q', '-N', '', '-C', name, '-f', at(`keys/${name}`), ...more], {
      limitSeconds: 20,
    })
    return readFileSync(at(`keys/${name}.pub`), 'utf8').trim()
  }
  const anna = await makeKey('anna', '-t', 'ed25519')
  const bert = await makeKey('bert', '-t', 'rsa', '-b', '2048')
  await makeKey('eve', '-t', 'ed25519')
  const site = `name: r\nnetwork: { subnet: 10.20.0.0/24 }\nmachines: [{ name: ctl-1, mac: 52-54-00-20-00-01, role: controller }]\nssh_keys: ${JSON.stringify([anna, bert])}\n`
  for (const { path, mode, bytes } of filesOf(site)) {
    const file = at(`node${path}`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, bytes)
    chmodSync(file, mode)
  }
  // The live root, unchanged, below what the config writes; what is written is in memory, as on a machine without a disk.
  const prepare = [
    'ip link set lo up',
    'mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work /mnt/root',
    `mount -t overlay -o lowerdir=${at('node')}:${root}/root,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/root`,
    'mount -t proc proc /mnt/root/proc && mount --rbind /dev /mnt/root/dev && mkdir -p /mnt/root/run/sshd',
    'chown -R 0:0 /mnt/root/etc/pilotlight',
    'echo ready; exec cat',
  ].join(' && ')
  const maker = spawn(
    'unshare',
    ['--mount', '--net', '--pid', '--fork', '--kill-child', 'sh', '-euc', prepare],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  t.teardown(() => endChild(maker))
  let said = ''
  maker.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await waitUntil('the namespaces', { limitSeconds: 20, everyMs: 20 }, async () =>
    said.includes('ready') ? { value: true } : { not: said },
  )
  const inner = (await run('pgrep', ['--parent', String(maker.pid)], { limitSeconds: 5 })).stdout.trim()
  const inside = ['--target', inner, '--mount', '--net', '--pid', '--']
  const onNode = (...argv: string[]) =>
    run('nsenter', [...inside, 'chroot', '/mnt/root', ...argv], { limitSeconds: 20 }).then(({ stdout }) =>
      stdout.trim(),
    )
  const hostKey = () => onNode(...before.split(' '))
  const sshd = () => {
    const child = spawn('nsenter', [...inside, 'chroot', '/mnt/root', ...command.split(' '), '-e'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.teardown(() => endChild(child))
    let log = ''
    child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
    return { child, log: () => log }
  }
  const known = `UserKnownHostsFile=${at('known')}`
  /** What a command printed over ssh, or what the client said. */
  const ssh = async (key: string, user = 'root', options: readonly string[] = [], words = ['id', '-un']) => {
    const own = ['-F', 'none', '-i', at(`keys/${key}`), '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes']
    const args = [
      ...own,
      '-o',
      'StrictHostKeyChecking=accept-new',
      '-o',
      known,
      ...options,
      `${user}@127.0.0.1`,
      ...words,
    ]
    return run('nsenter', ['--target', inner, '--net', '--', 'ssh', ...args], { limitSeconds: 20 }).then(
      ({ stdout }) => stdout.trim(),
      (error: CommandFailed) => error.stderr.trim(),
    )
  }
  const listening = () =>
    waitUntil('sshd', { limitSeconds: 20, everyMs: 50 }, async () => {
      const answer = await ssh('anna')
      return answer === 'root' ? { value: true } : { not: answer }
    })

  const fingerprint = await hostKey()
  t.match(fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/)
  const first = sshd()
  await listening()
  const files = await onNode(
    'stat',
    '-c',
    '%a %U %n',
    '/etc/pilotlight/ssh/authorized_keys',
    '/var/lib/pilotlight/ssh/ssh_host_ed25519_key',
  )
  t.match(files, /^600 root .*authorized_keys\n600 root .*ed25519_key$/)

  await t.test('each of them logs in as root, and the journal has whose key it was', async t => {
    t.equal(await ssh('bert'), 'root')
    const [, bertPrint = ''] = (
      await run('ssh-keygen', ['-lf', at('keys/bert.pub')], { limitSeconds: 5 })
    ).stdout.split(' ')
    t.match(first.log(), `Accepted publickey for root from 127.0.0.1`)
    t.match(first.log(), bertPrint)
  })

  await t.test('the fingerprint that was reported is that of the host', async t => {
    const seen = (await run('ssh-keygen', ['-lf', at('known')], { limitSeconds: 5 })).stdout
    t.match(seen, fingerprint)
    t.equal(seen.trim().split('\n').length, 1, 'and there is no other host key')
  })

  await t.test('no one else does: another key, another user, a password', async t => {
    t.match(await ssh('eve'), /root@127\.0\.0\.1: Permission denied \(publickey\)\./)
    await onNode(
      'sh',
      '-c',
      'useradd --create-home carl; mkdir -p ~carl/.ssh; cp /etc/pilotlight/ssh/authorized_keys ~carl/.ssh/; chown -R carl ~carl/.ssh',
    )
    t.match(await ssh('anna', 'carl'), /Permission denied \(publickey\)/)
    await onNode('sh', '-c', 'echo root:secret | chpasswd; echo carl:secret | chpasswd')
    const byPassword = [
      '-o',
      'PubkeyAuthentication=no',
      '-o',
      'PreferredAuthentications=password,keyboard-interactive',
    ]
    t.match(await ssh('anna', 'root', byPassword), /Permission denied \(publickey\)/)
    await onNode('sh', '-c', 'mkdir -p /root/.ssh; cat > /root/.ssh/authorized_keys < /dev/null')
    writeFileSync(at('eve.pub'), readFileSync(at('keys/eve.pub')))
    await run(
      'nsenter',
      [...inside, 'sh', '-c', `cat ${at('eve.pub')} > /mnt/root/root/.ssh/authorized_keys`],
      { limitSeconds: 5 },
    )
    t.match(await ssh('eve'), /Permission denied/, "and no key but the site file's counts")
  })

  await t.test('agents, X11 and environments are not taken; files are copied', async t => {
    t.equal(await ssh('anna', 'root', ['-A'], ['echo', '"${SSH_AUTH_SOCK:-none}"']), 'none')
    t.equal(
      await ssh('anna', 'root', ['-o', 'SetEnv=LD_PRELOAD=/x'], ['echo', '"${LD_PRELOAD:-none}"']),
      'none',
    )
    writeFileSync(at('sent'), 'a file\n')
    const copy = [
      '-F',
      'none',
      '-q',
      '-i',
      at('keys/anna'),
      '-o',
      known,
      at('sent'),
      'root@127.0.0.1:/root/sent',
    ]
    await run('nsenter', ['--target', inner, '--net', '--', 'scp', ...copy], { limitSeconds: 20 })
    t.equal(await onNode('cat', '/root/sent'), 'a file')
  })

  await t.test('the agent reports the host key, and gives root the password of the bundle', async t => {
    const hash = '$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC'
    writeFileSync(
      at('agent'),
      [
        agent.replace(/^\. \/etc\/pilotlight\/agent\.env.*$/m, '').replace(/^main$/m, ''),
        'systemctl() { echo "systemctl $*"; }',
        'mkdir -p $work',
        'know_ssh; echo "booted$ssh"; open_console; echo nothing to set',
        `echo '${hash}' > $home/console-password; open_console; getent shadow root`,
        "echo 'root2:x' > $home/console-password; echo more >> $home/console-password; open_console",
        'rm /usr/local/lib/pilotlight/ssh-host-key; ssh=; know_ssh; echo "booted$ssh"',
      ].join('\n'),
    )
    await run('nsenter', [...inside, 'cp', at('agent'), '/mnt/root/agent'], { limitSeconds: 5 })
    await run('nsenter', [...inside, 'cp', '/mnt/root/usr/local/lib/pilotlight/ssh-host-key', '/mnt/maker'], {
      limitSeconds: 5,
    })
    const said = (await onNode('bash', '/agent')).split('\n')
    await run(
      'nsenter',
      [...inside, 'cp', '-p', '/mnt/maker', '/mnt/root/usr/local/lib/pilotlight/ssh-host-key'],
      { limitSeconds: 5 },
    )
    t.strictSame(said.slice(0, 4), [
      `booted; ssh host key ${fingerprint}`,
      'nothing to set',
      'systemctl start --no-block getty@tty1.service',
      'console: root logs in with the password of the site file',
    ])
    t.match(said[4]?.slice(0, hash.length + 6), `root:${hash}:`)
    t.match(said[5], /^console: no password is set: /)
    t.equal(said.at(-1), 'booted', 'a site without keys has none to report')
  })

  /** What a person sees who types `lines` at a screen, each once what it is for has been shown. */
  const atScreen = async (getty: string, lines: readonly (readonly [shown: string, typed: string])[]) => {
    // Without the process namespace, for which nsenter would fork: a getty leads its session.
    const line = `exec nsenter --target ${inner} --mount -- chroot /mnt/root ${getty}`
    const screen = spawn('script', ['-qfec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => endChild(screen))
    let seen = ''
    screen.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()))
    let from = 0
    for (const [shown, typed] of lines) {
      await waitUntil(shown, { limitSeconds: 20, everyMs: 50 }, async () => {
        const at = seen.indexOf(shown, from)
        if (at < 0) return { not: seen }
        from = at + shown.length
        return { value: true }
      })
      screen.stdin.write(`${typed}\n`)
    }
    await endChild(screen)
    return seen
  }

  await t.test('autologin gives root a shell at a screen and at a serial port', async t => {
    for (const name of ['autologin.conf', 'autologin-serial.conf']) {
      const text = readFileSync(join(import.meta.dirname, '../../ignition/units', name), 'utf8')
      const [, getty = ''] = /^ExecStart=-(\/.*)$/m.exec(text) ?? []
      const shell = ['~# ', 'echo I am $(id -un)'] as const
      await t.resolves(atScreen(getty.replace('${TERM}', 'vt220'), [shell, ['I am root', 'exit']]), name)
    }
  })

  await t.test('a password of the site file lets root in, and no other does', async t => {
    const { stdout } = await run('openssl', ['passwd', '-6', '-salt', 'abcdefgh12345678', 'a long one'], {
      limitSeconds: 5,
    })
    t.match(
      siteWithPassword(stdout.trim()).access.console,
      { login: 'password' },
      'the reader takes such a hash',
    )
    await onNode('sh', '-c', `echo 'root:${stdout.trim()}' | chpasswd --encrypted`)
    const getty = '/sbin/agetty --noreset --noclear - vt220'
    const seen = await atScreen(getty, [
      ['login: ', 'root'],
      ['Password: ', 'a wrong one'],
      ['login: ', 'root'],
      ['Password: ', 'a long one'],
      ['~# ', 'echo I am $(id -un)'],
      ['I am root', 'exit'],
    ])
    t.notMatch(seen, 'a long one')
    t.match(
      await ssh('anna', 'root', ['-o', 'PubkeyAuthentication=no']),
      /Permission denied \(publickey\)/,
      'sshd still takes none',
    )
  })

  await t.test('the host key stays, also over a power cut while it was made', async t => {
    await endChild(first.child)
    t.equal(await hostKey(), fingerprint)
    // What a cut leaves: files that are begun, and one that no one finished.
    await onNode(
      'sh',
      '-c',
      'cd /var/lib/pilotlight/ssh; echo half > .new; echo half > .new.pub; rm ssh_host_ed25519_key.pub',
    )
    t.equal(await hostKey(), fingerprint)
    sshd()
    await listening()
    await onNode(
      'sh',
      '-c',
      'head -c 100 /var/lib/pilotlight/ssh/ssh_host_ed25519_key > /x; cat /x > /var/lib/pilotlight/ssh/ssh_host_ed25519_key',
    )
    const another = await hostKey()
    t.not(another, fingerprint, 'a key that is not whole is made again')
    t.match(another, /^SHA256:/)
    const both = await Promise.all([hostKey(), hostKey(), hostKey()])
    t.strictSame(both, [another, another, another])
  })
})
