// The program that installs GRUB and keeps the counts of attempts, with each shell that a machine may have; GRUB's own
// tools judge what it wrote.

import fc from 'fast-check'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { absent } from '../absent.ts'
import { BIOS_LOADER } from './disk.ts'

const limit = { limitSeconds: 20 }
const shells = ['dash', 'bash'].filter(shell => absent(shell) === false)
const noJudge = absent('grub-editenv')

async function loader(shell: string, ...args: readonly string[]): Promise<string> {
  return (await run(shell, [BIOS_LOADER, ...args], limit)).stdout
}

for (const shell of shells) {
  t.test(`${shell}: a new version is on trial beside the old one until it is blessed`, async t => {
    const file = join(t.testdir(), 'grubenv')
    await loader(shell, 'set', file, '0123456789ab')
    t.equal(await loader(shell, 'show', file), 'new=0123456789ab\nnew_tries=3\nold=\nold_tries=\n')
    await loader(shell, 'bless', file, '0123456789ab')
    await loader(shell, 'set', file, 'ba9876543210', '0123456789ab')
    t.equal(
      await loader(shell, 'show', file),
      'new=ba9876543210\nnew_tries=3\nold=0123456789ab\nold_tries=\n',
    )
    await loader(shell, 'bless', file, 'ba9876543210')
    t.match(await loader(shell, 'show', file), /^new_tries=$/m)
    await t.rejects(loader(shell, 'bless', file, 'third'), /third is neither the new one \(ba9876543210\)/)
    await t.rejects(loader(shell, 'bless', join(t.testdirName, 'absent'), 'a'), /absent is not there/)
    await t.rejects(loader(shell, 'set', file, 'a', 'a'), /both the new and the old one/)
    await t.rejects(loader(shell, 'set', file, 'a b'), /"a b" is not a version/)
    t.match(await loader(shell, 'show', file), /^new=ba9876543210$/m, 'what is refused changes nothing')
  })

  t.test(`${shell}: an old version that was on trial keeps the attempts that it has left`, async t => {
    const file = join(t.testdir(), 'grubenv')
    writeFileSync(file, environment('new=a\nnew_tries=1\nold=b\nold_tries=2\n'))
    await loader(shell, 'set', file, 'c', 'b')
    t.equal(await loader(shell, 'show', file), 'new=c\nnew_tries=3\nold=b\nold_tries=2\n')
  })

  t.test(`${shell}: installs GRUB where its own tool does, and changes nothing else`, async t => {
    const folder = t.testdir()
    const at = (name: string) => join(folder, name)
    const start = 0x1_0203
    // Every byte of the disk that is not to change is one that would be seen.
    const disk = Buffer.alloc((start + 2048) * 512, 0xa7)
    disk.set([0x55, 0xaa], 510)
    const core = Buffer.alloc(3 * 512 - 100, 0xc0)
    const boot = Buffer.alloc(512, 0xb0)
    boot.set([0x55, 0xaa], 510)
    for (const [name, bytes] of Object.entries({ disk, core, boot })) writeFileSync(at(name), bytes)
    await loader(shell, 'install', at('disk'), String(start), '2048', at('boot'), at('core'))
    const wanted = Buffer.from(disk)
    boot.copy(wanted, 0, 0, 440)
    wanted.writeBigUInt64LE(BigInt(start), 0x5c)
    wanted.set([0x90, 0x90], 0x66)
    core.copy(wanted, start * 512)
    wanted.writeBigUInt64LE(BigInt(start + 1), start * 512 + 0x1f4)
    t.ok(readFileSync(at('disk')).equals(wanted))
    const writtenAt = statSync(at('disk'), { bigint: true }).mtimeNs
    await loader(shell, 'install', at('disk'), String(start), '2048', at('boot'), at('core'))
    t.equal(statSync(at('disk'), { bigint: true }).mtimeNs, writtenAt, 'what is there already is not written')
    const older = Buffer.from(wanted)
    older.fill(0xdd, start * 512, start * 512 + 512)
    writeFileSync(at('disk'), older)
    await loader(shell, 'install', at('disk'), String(start), '2048', at('boot'), at('core'))
    t.ok(readFileSync(at('disk')).equals(wanted), 'another core image is replaced')

    const refused = async (message: RegExp, ...args: readonly string[]) => {
      await t.rejects(loader(shell, 'install', ...args), message)
      t.ok(readFileSync(at('disk')).equals(wanted), 'the disk is as before')
    }
    await refused(
      /has 3 sectors, the BIOS boot partition has only 2/,
      at('disk'),
      '34',
      '2',
      at('boot'),
      at('core'),
    )
    await refused(
      /sector 33 is among those of the partition table/,
      at('disk'),
      '33',
      '9',
      at('boot'),
      at('core'),
    )
    await refused(/core is not a boot sector of 512 bytes/, at('disk'), '34', '9', at('core'), at('core'))
    await refused(/START and SECTORS are numbers/, at('disk'), '34', '-1', at('boot'), at('core'))
    writeFileSync(at('bare'), Buffer.alloc(99 * 512))
    await refused(/bare has no partition table/, at('bare'), '34', '9', at('boot'), at('core'))
  })
}

t.test('GRUB reads what was written, whatever the names of the versions', { skip: noJudge }, async t => {
  const file = join(t.testdir(), 'grubenv')
  const name = fc.stringMatching(/^[0-9A-Za-z._-]{1,36}$/)
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { minLength: 2, maxLength: 2 }),
      async ([newest = '', old = '']) => {
        await loader('sh', 'set', file, newest, old)
        const { stdout } = await run('grub-editenv', [file, 'list'], limit)
        t.match(stdout, `new=${newest}\nnew_tries=3\nold=${old}\nold_tries=`)
        t.equal(readFileSync(file).length, 1024, 'the size of which GRUB writes it')
      },
    ),
    { numRuns: 12 },
  )
  await run('grub-editenv', [file, 'set', 'new_tries=1'], limit)
  t.match(await loader('sh', 'show', file), /^new_tries=1$/m, 'and what GRUB writes is read')
  t.notOk(existsSync(`${file}.next`))
})

function environment(text: string): string {
  return `# GRUB Environment Block\n${text}`.padEnd(1024, '#')
}
