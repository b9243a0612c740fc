// The TPM of an emulated machine, with the real QEMU, which is never started past its power-on.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lackingPackages } from '#host/prerequisites.ts'
import { labPrerequisites } from '#lab/prerequisites.ts'
import { startTpm, TPM_ARGUMENTS } from '#lab/machines/tpm.ts'
import { waitUntil } from '#progress/wait.ts'
import { endChild } from '../../end-child.ts'

const wanted = new Set(['qemu-system-x86', 'swtpm'])
const lacking = await lackingPackages(
  labPrerequisites.filter(need => 'package' in need && wanted.has(need.package)),
)
const skip = lacking.length > 0 ? `needs ${lacking.map(it => it.package).join(' and ')}` : false

/** Powers a machine on as far as its TPM: resolves when QEMU has initialised it. */
async function powerOn(t: Test, directory: string) {
  const said: Buffer[] = []
  const tpm = await startTpm({ directory, console: bytes => void said.push(Buffer.from(bytes)) })
  const args = ['-S', '-nodefaults', '-display', 'none', '-machine', 'q35', '-m', '64', ...TPM_ARGUMENTS]
  const qemu = spawn('qemu-system-x86_64', [...args, '-serial', 'none', '-qmp', 'stdio'], { cwd: directory })
  t.teardown(async () => {
    await endChild(qemu)
    await tpm.end()
  })
  const state = join(directory, 'tpm/tpm2-00.permall')
  await waitUntil('the TPM has a state', { limitSeconds: 30, everyMs: 50 }, async () =>
    existsSync(state) ? { value: true } : { not: Buffer.concat(said).toString() || 'none yet' },
  )
  return { tpm, qemu }
}

t.test('a TPM ends with its machine, by the plug or otherwise', { skip }, async t => {
  const directory = t.testdir()
  const { tpm, qemu } = await powerOn(t, directory)
  qemu.kill('SIGKILL')
  await tpm.ended
  const again = await powerOn(t, directory)
  await again.tpm.end()
  await again.tpm.ended
})

t.test('says what is missing where no TPM can be emulated', async t => {
  const path = process.env['PATH']
  process.env['PATH'] = '/nonexistent'
  t.teardown(() => {
    process.env['PATH'] = path
  })
  await t.rejects(startTpm({ directory: t.testdir(), console: () => {} }), {
    code: 'NO_TOOL',
    message: /No TPM for this machine: spawn swtpm ENOENT\. Install swtpm/,
  })
})
