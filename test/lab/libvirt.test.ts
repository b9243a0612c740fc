// A libvirt of one's own (lab/libvirt/in-own), and the Vagrant rack in it, without waiting for a boot: vagrant/run does that.

import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { absent, skipFile, whyNoNamespaces } from '../absent.ts'

const ROOT = join(import.meta.dirname, '../..')
const IN_OWN = join(ROOT, 'lab/libvirt/in-own')

skipFile(t, absent('libvirtd', 'virtlogd', 'virsh', 'qemu-img', 'dnsmasq'))
skipFile(t, whyNoNamespaces('--mount', '--net', '--pid', '--fork'))

type Ended = { readonly status: number | null; readonly out: string }

/** Runs in-own with a folder for what it makes, and gives how it ended. */
function inOwn(folder: string, argv: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(IN_OWN, argv, { env: { ...process.env, TMPDIR: folder, ...env } })
    let out = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.on('error', reject)
    child.on('close', status => resolve({ status, out }))
  })
}

t.test('it ends as its command does, and leaves no file, process or socket', async t => {
  const folder = t.testdir()
  const before = existsSync('/run/libvirt/libvirt-sock')
  const ended = await inOwn(folder, [
    'bash',
    '-c',
    'virsh pool-list --name; echo "as $(ip -brief link)"; exit 7',
  ])
  t.equal(ended.status, 7, 'the status of the command', { out: ended.out })
  t.match(ended.out, /^default *$/m)
  t.strictSame(
    ended.out.match(/^as .*(?:\n.+)*/m)?.[0].split('\n').length,
    1,
    'its own network, with nothing but lo',
  )
  t.strictSame(readdirSync(folder), [])
  t.equal(existsSync('/run/libvirt/libvirt-sock'), before, "the host's own libvirt was not touched")
})

t.test('a command that takes too long is ended, with all that it started', async t => {
  const folder = t.testdir()
  const began = Date.now()
  const ended = await inOwn(folder, ['--limit', '4', 'sleep', '100'])
  t.equal(ended.status, 1)
  t.match(ended.out, 'libvirt: not done after 4 s')
  t.ok(Date.now() - began < 60_000)
  t.strictSame(readdirSync(folder), [])
})

t.test(
  'vagrant up makes the machines of the rack, and vagrant destroy leaves nothing of them',
  { skip: absent('vagrant', '/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json') },
  async t => {
    const script = `
      set -e
      export HOME=$LAB_WORK/home VAGRANT_HOME=$LAB_WORK/home/vagrant VAGRANT_DOTFILE_PATH=$LAB_WORK/dot
      mkdir -p $HOME
      cd ${ROOT}/vagrant
      timeout 120 vagrant up --provider libvirt --no-provision ctl-1 cmp-1
      echo "== up"
      ${ROOT}/vagrant/left
      virsh domiflist vagrant_cmp-1
      timeout 120 vagrant destroy --force ctl-1 cmp-1
      echo "== left"
      ${ROOT}/vagrant/left`
    const env = { PILOTLIGHT_DRIVER: 'qemu', PILOTLIGHT_MEMORY: '2048', VAGRANT_CHECKPOINT_DISABLE: '1' }
    const { status, out } = await inOwn(t.testdir(), ['--limit', '300', 'bash', '-c', script], env)
    t.equal(status, 0, 'all of it ends well', { out })
    const [, up = '', left = 'nothing was said'] = /== up\n(.*)== left\n(.*)$/s.exec(out) ?? []
    for (const there of [
      'domain vagrant_ctl-1',
      'domain vagrant_cmp-1',
      'network pilotlight-small',
      'process',
    ])
      t.match(up, there)
    t.match(up, '52:54:00:20:00:02', "the site file's MAC address")
    t.equal(left, '', 'nothing is left')
  },
)
