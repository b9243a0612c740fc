// Which firmware a root keeps: what its modules name, and no root without knowing what they name.

import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import t, { type Test } from 'tap'

const script = join(import.meta.dirname, '../../images/scripts/prune-kernel.sh')
const RELEASE = '6.12.1-amd64'

/** A root with one module, pruned with a modinfo that prints, or fails. */
function prune(t: Test, modinfo: string): string {
  const folder = t.testdir({
    root: {
      usr: {
        lib: {
          modules: { [RELEASE]: { kernel: { 'a.ko': 'x' } } },
          firmware: { named: { 'a-1.bin': 'a' }, 'other.bin': 'b' },
        },
      },
    },
    bin: { chroot: `#!/bin/sh\ncase $2 in depmod) ;; modinfo) ${modinfo} ;; esac\n` },
  })
  chmodSync(join(folder, 'bin/chroot'), 0o755)
  const PATH = `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`
  execFileSync('bash', [script, join(folder, 'root')], { env: { ...process.env, PATH }, stdio: 'pipe' })
  return join(folder, 'root/usr/lib/firmware')
}

t.test('keeps the firmware that a module names, by a pattern too, and no other', async t => {
  const firmware = prune(t, "echo 'named/a-*.bin'")
  t.strictSame(readdirSync(firmware), ['named'])
  t.ok(existsSync(join(firmware, 'named/a-1.bin')))
})

t.test('fails where modinfo does, instead of leaving firmware out', async t => {
  t.throws(() => prune(t, 'echo named/a-1.bin; exit 1'), /Command failed/)
})
