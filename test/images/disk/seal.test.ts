// When the TPM's key slot of an encrypted state is made anew (images/live/dracut/disk/encryption), by what is called: the real programs, with a
// TPM, are in test/images/encryption.test.ts.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const LIVE = join(import.meta.dirname, '../../../images/live')

/** What the shell prints for `text`; calls of systemd-cryptenroll are printed, too, and end as `enroll` says. */
function shell(folder: string, enroll: string, text: string): string {
  const program = `#!/bin/sh\ncase $* in *--unlock-key-file*) echo new >&3; ${enroll} ;; *) echo "erase $1" >&3 ;; esac\n`
  writeFileSync(join(folder, 'systemd-cryptenroll'), program, { mode: 0o755 })
  const head = `. ${LIVE}/root/usr/lib/pilotlight/disk-common; . ${LIVE}/dracut/disk/encryption; run=${folder} PATH=${folder}:$PATH; exec 3>&1`
  return execFileSync('sh', ['-euc', `${head}; ${text}`], { encoding: 'utf8' }).trimEnd()
}

const SAME = 'echo "This PCR set is already enrolled, executing no operation."'
const opens = (status: number) => `cryptsetup() { echo "$*" >&3; return ${status}; }; seal_to_tpm /dev/vda7`

t.test('what is sealed to a TPM is not erased before there is something in its place', async t => {
  const folder = t.testdir()
  t.equal(shell(folder, 'echo enrolled', opens(1)), 'new')
  t.equal(shell(folder, 'exit 1', `${opens(1)} || echo failed`), 'new\nfailed')
  const tried = 'open --type luks2 --token-only --token-type systemd-tpm2 /dev/vda7 --test-passphrase'
  t.equal(shell(folder, SAME, opens(0)), `new\n${tried}`, 'the TPM was late, and opens it now')
  t.equal(
    shell(folder, SAME, opens(1)),
    `new\n${tried}\nerase --wipe-slot=tpm2\nnew`,
    'it is that of another',
  )
})

t.test('the TPM is tried where the header has a key for it, also without the clear token', async t => {
  const holder = (type: string) =>
    shell(
      t.testdir(),
      ':',
      `cryptsetup() { case $1 in luksDump) echo '{ "tokens": { "0": { "type": "${type}" } } }' ;; open) echo opened >&3 ;; *) return 1 ;; esac; }
crypt_modules() { :; }; luks_uuid() { echo 1; }; wait_for() { :; }; mapper=/dev/mapper/x
if open_by_tpm /dev/vda7; then echo "by $OPENED"; else echo "$holder"; fi`,
    )
  t.equal(holder('systemd-tpm2'), 'opened\nby tpm')
  t.equal(holder('pilotlight'), 'server')
})
