// How containerd's store is made from the one in the image, and made anew for another image: the program as it is, on folders.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'

const ROOT = join(import.meta.dirname, '../../../images/live/root')
const SNAPSHOTS = 'io.containerd.snapshotter.v1.overlayfs'
const METADATA = 'io.containerd.metadata.v1.bolt'
const CONTENT = 'io.containerd.content.v1.content'

/** An image's store with one layer, and containerd's folder on a state partition. */
function folders(t: Test) {
  const folder = t.testdir({ image: {}, state: {} })
  const program = readFileSync(join(ROOT, 'usr/lib/pilotlight/link-store'), 'utf8')
  writeFileSync(
    join(folder, 'link-store'),
    program.replace('store=/usr/lib/pilotlight/containerd', `store=${folder}/image`),
  )
  const into = join(folder, 'state')
  const image = (layer: string) => {
    rmSync(join(folder, 'image'), { recursive: true })
    for (const name of [METADATA, CONTENT, `${SNAPSHOTS}/snapshots/${layer}`])
      mkdirSync(join(folder, 'image', name), { recursive: true })
    for (const name of [`${METADATA}/meta.db`, `${SNAPSHOTS}/metadata.db`])
      writeFileSync(join(folder, 'image', name), `${layer} in ${name}`)
  }
  /** Links the store, with these programs in front of the host's. */
  const link = (programs = '') =>
    execFileSync('sh', ['-euc', `${programs}\n. ${folder}/link-store`, 'link-store', into], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  const layers = () => readdirSync(join(into, SNAPSHOTS, 'snapshots'))
  const aside = () => readdirSync(into).filter(name => name.startsWith('.old-'))
  return { folder, into, image, link, layers, aside }
}

t.test('the store of an earlier image is put aside, not removed while a start waits', async t => {
  const { folder, into, image, link, layers, aside } = folders(t)
  image('1')
  link()
  t.strictSame(layers(), ['1'])
  t.equal(readlinkSync(join(into, SNAPSHOTS, 'snapshots/1')), `${folder}/image/${SNAPSHOTS}/snapshots/1`)
  mkdirSync(join(into, SNAPSHOTS, 'snapshots/of-a-registry'))
  t.match(link(), /as they were/)
  t.strictSame(aside(), [])
  image('2')
  link('rm() { case "$1" in -r*) echo "removes $*" >&2; exit 1 ;; esac; command rm "$@"; }')
  t.strictSame(layers(), ['2'])
  const [old = '', ...more] = aside()
  t.strictSame(more, [])
  t.strictSame(readdirSync(join(into, old, SNAPSHOTS, 'snapshots')).toSorted(), ['1', 'of-a-registry'])
})

t.test('a start that was cut short begins anew, and all that was put aside is removed later', async t => {
  const { into, image, link, layers, aside } = folders(t)
  image('1')
  link()
  image('2')
  t.throws(() => link('ln() { exit 1; }'))
  link()
  t.strictSame(layers(), ['2'])
  t.equal(aside().length, 2)
  const unit = readFileSync(join(ROOT, 'usr/lib/systemd/system/pilotlight-store-cleanup.service'), 'utf8')
  const command = /^ExecStart=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? []
  const [program = '', ...args] = command.map(word => (word === '/var/lib/containerd' ? into : word))
  execFileSync(program, args)
  t.strictSame(aside(), [])
  t.strictSame(layers(), ['2'], 'and nothing else')
})
