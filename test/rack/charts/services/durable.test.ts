// What Glance, Cinder and Nova have acknowledged outlives a power cut: Glance's and Cinder's own code from the images' layers, and the
// hook of libvirt, on an ext4 file system whose power is cut as that of a container machine.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { cacheDirectory } from '#host/artefacts.ts'
import { run } from '#host/command.ts'
import { cutDisk } from '#lab/machines/container-disk.ts'
import { chartFolder } from '#rack/charts/sources/ours.ts'

const python = '/usr/bin/python3'
const packages = globSync('openstack-*/{upper,root}/usr/lib/python3/dist-packages', { cwd: cacheDirectory() })
  .map(folder => join(cacheDirectory(), folder))
  .toSorted()
const hasBoth = ['glance_store', 'cinder'].every(name =>
  packages.some(folder => existsSync(join(folder, name))),
)
const skip =
  (process.getuid?.() !== 0 && 'needs root: a loop device') ||
  (!(hasBoth && existsSync(python)) && 'needs the images: bin/pilotlight images build')
t.setTimeout(300_000)

/** Uploads an image of 3 MB; arguments: the folder, and what is imported first. */
const UPLOAD = `
import io, sys
folder, *modules = sys.argv[1:]
for module in modules:
    __import__(module)
import glance_store
from glance_store._drivers import filesystem
from oslo_config import cfg
conf = cfg.ConfigOpts()
glance_store.register_opts(conf)
conf([])
conf.set_override('filesystem_store_datadir', folder, 'glance_store')
store = filesystem.Store(conf)
store.configure()
url, size, *_ = store.add('image-1', io.BytesIO(b'pilotlight' * 300000), 3000000, 'sha512')
print(url, size, flush=True)
sys.stdin.read()
`

/** Makes a volume of 1 GiB, which a guest writes to and flushes; then a snapshot of it, and a larger volume of that. */
const VOLUMES = `
import os, sys
from types import SimpleNamespace as Thing
folder, module = sys.argv[1:]
from importlib import import_module
driver = object.__new__(import_module(module).DirectoryDriver)
driver.configuration = Thing(directory_path=folder)
first, larger = Thing(name='first', size=1), Thing(name='larger', size=2)
snapshot = Thing(name='snapshot', volume=first)
driver.create_volume(first)
with open(folder + '/first', 'r+b') as guest:
    guest.write(b'pilotlight' * 300000)
    os.fdatasync(guest.fileno())
driver.create_snapshot(snapshot)
driver.create_volume_from_snapshot(larger, snapshot)
driver.create_volume(Thing(name='empty', size=1))
print('made', flush=True)
sys.stdin.read()
`

/** Starts a guest whose disk was just copied, as libvirt does; without the hook where it says `none`. */
const GUEST = `
head -c 3000000 /dev/zero | tr '\\0' p > "$1/image"; cp "$1/image" "$1/disk"; echo pilotlight >> "$1/disk"
[ "$2" = none ] || INSTANCES=$1 bash "$2" guest-1 prepare begin -
echo starts
read never
`

/** The words that run a program of Python with the services' modules, and with these of ours before them. */
const inPython = (files: string, program: string, place: string, ...words: string[]) => {
  const environment = ['PYTHONDONTWRITEBYTECODE=1', `PYTHONPATH=${[files, ...packages].join(':')}`]
  return ['env', ...environment, python, '-W', 'ignore', '-c', program, place, ...words]
}

/**
 * Runs a program on a new file system, mounted at the place that it is given, cuts its power once it has printed a line, and gives
 * what is there afterwards: for each file its name, its size and how many lines have our word.
 */
async function afterCut(folder: string, words: (place: string) => string[]): Promise<string[]> {
  const disk = { file: join(folder, 'disk.img'), slot: join(folder, 'slot') }
  const place = join(folder, 'mounted')
  writeFileSync(disk.file, '')
  truncateSync(disk.file, 256 * 1024 ** 2)
  await run('mkfs.ext4', ['-q', disk.file], { limitSeconds: 30 })
  // Else ext4 writes by itself every five seconds; in a mount namespace, so that nothing stays.
  const mounted = (command: string, ...argv: string[]) =>
    [
      '--mount',
      'sh',
      '-euc',
      `mount -o loop,commit=300 "$0" "$1"; cd /; ${command}`,
      disk.file,
      place,
    ].concat(argv)
  const start = 'shift; exec "$@"'
  const child = spawn('unshare', mounted(start, ...words(place)), { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const [said] = (await Promise.race([once(createInterface(child.stdout), 'line'), closed])) as [unknown]
  if (typeof said !== 'string') throw new Error(`the program ended with ${String(said)}`)
  cutDisk(disk, [child.pid ?? 0])
  child.kill('SIGKILL')
  await closed
  const look =
    'cd "$1"; for file in *; do [ ! -f $file ] || echo $file $(stat -c %s $file) $(grep -c pilotlight $file || true); done'
  const { stdout } = await run('unshare', mounted(look), { limitSeconds: 30 })
  return stdout.trim().split('\n')
}

t.test('an image that Glance has acknowledged outlives a power cut', { skip }, async t => {
  const files = join(chartFolder('glance'), 'files')
  const folder = t.testdir({ mounted: {}, slot: {} })
  const upload = (...modules: string[]) =>
    afterCut(folder, place => inPython(files, UPLOAD, place, ...modules))
  t.strictSame(await upload('durable'), ['image-1 3000000 1'])
  t.not((await upload())[0], 'image-1 3000000 1', 'else our own file may go')
})

t.test('volumes and snapshots that Cinder has acknowledged outlive a power cut', { skip }, async t => {
  const files = join(chartFolder('cinder'), 'files')
  const folder = t.testdir({ mounted: {}, slot: {} })
  t.strictSame(await afterCut(folder, place => inPython(files, VOLUMES, place, 'directory')), [
    `empty ${1 << 30} 0`,
    `first ${1 << 30} 1`,
    `larger ${2 * 2 ** 30} 1`,
    `snapshot ${1 << 30} 1`,
  ])
})

t.test('the disk of a guest outlives a power cut right after its start', { skip }, async t => {
  const folder = t.testdir({ mounted: {}, slot: {} })
  const start = (hook: string) => afterCut(folder, place => ['bash', '-c', GUEST, 'bash', place, hook])
  const hook = join(chartFolder('libvirt'), 'files/guest-hook.sh')
  t.strictSame(await start(hook), ['disk 3000011 1', 'image 3000000 0'])
  t.notMatch(await start('none'), ['disk 3000011 1'], 'else the hook need not write it')
})
