// What a disk holds (images/live/dracut/disk/holds), on loop devices: only one that is empty is taken without a word of the operator.

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { truncateSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'

const PROGRAM = resolve('images/live/dracut/disk/holds')
const BYTES = 64 << 20
const skip = process.getuid?.() !== 0 && 'needs root, for a loop device'

/** What a sparse disk of 64 MiB holds after `write` had its file. */
function holds(folder: string, write: (file: string) => void): string {
  const file = join(folder, 'disk')
  writeFileSync(file, '')
  truncateSync(file, BYTES)
  write(file)
  const device = execFileSync('losetup', ['--find', '--show', file], { encoding: 'utf8' }).trim()
  try {
    return execFileSync('sh', [PROGRAM, device], { encoding: 'utf8' }).replaceAll(
      device.slice('/dev/'.length),
      'DISK',
    )
  } finally {
    execFileSync('losetup', ['--detach', device])
  }
}

const put = (content: Buffer | string, at: number) => (file: string) =>
  void execFileSync('dd', [`of=${file}`, 'bs=1', `seek=${at}`, 'conv=notrunc', 'status=none'], {
    input: content,
  })
const UNKNOWN = 'data without a signature on DISK\n'

const DISKS: readonly (readonly [string, (file: string) => void, string | RegExp])[] = [
  ['zeros', () => {}, '\n'],
  ['ones', file => writeFileSync(file, Buffer.alloc(BYTES, 0xff)), '\n'],
  [
    'zeros and ones, erased at different times',
    file => writeFileSync(file, Buffer.concat([Buffer.alloc(BYTES / 2, 0xff), Buffer.alloc(BYTES / 2)])),
    '\n',
  ],
  ['a bitmap of zeros and ones', put(Buffer.from([0xff, 0, 0xff]), 5000), UNKNOWN],
  ['a raw volume', file => writeFileSync(file, randomBytes(BYTES)), UNKNOWN],
  ['one byte at the begin', put('x', 5000), UNKNOWN],
  ['one byte at the end', put('x', BYTES - 1), UNKNOWN],
  ['data in the middle alone', put(randomBytes(4 << 20), 30 << 20), UNKNOWN],
  [
    'a file system',
    file => void execFileSync('mkfs.ext4', ['-q', '-F', '-L', 'db', file]),
    'ext4 "db" on DISK\n',
  ],
  [
    'a partition table',
    file => void execFileSync('sgdisk', ['--new=1:0:0', file]),
    /^gpt on DISK, gpt on DISK, PMBR on DISK\n/,
  ],
  [
    'what an operator had wiped',
    file => {
      writeFileSync(file, randomBytes(BYTES))
      put(
        Buffer.concat([Buffer.from('pilotlight: wiped by order of an operator'), Buffer.alloc(4096)]),
        0,
      )(file)
    },
    '\n',
  ],
]
for (const [title, write, shown] of DISKS) {
  t.test(`a disk with ${title}`, { skip }, async t => {
    const said = holds(t.testdir(), write)
    if (typeof shown === 'string') t.equal(said, shown)
    else t.match(said, shown)
  })
}

t.test('a disk that cannot be read is not empty', { skip }, async t => {
  const said = execFileSync('sh', [PROGRAM, '/dev/pilotlight-is-not-there'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  t.equal(said, 'what cannot be read on pilotlight-is-not-there\n')
})
