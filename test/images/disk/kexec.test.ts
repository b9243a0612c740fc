// What is started by kexec, without a loader, is not taken for a boot by the loader.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { absent } from '../../absent.ts'
import { OLD } from '../../server/upgrade-rack.ts'
import { installedMachine } from './installed-machine.ts'

const LIVE = join(import.meta.dirname, '../../../images/live')
const skip = process.getuid?.() !== 0 ? 'needs root' : absent('jq', 'unshare')
const entry = (left: string) => `pilotlight_1-${OLD}${left}.efi`

t.test('is marked good: not what was entered by kexec, but what its loader started', { skip }, async t => {
  const folder = t.testdir({ assets: {}, machine: {} })
  const machine = installedMachine(join(folder, 'machine'), join(folder, 'assets'))
  const files = () => readdirSync(machine.at('run/pilotlight/esp/EFI/Linux'))
  machine.entries(entry('+2-1'))
  writeFileSync(machine.at('run/pilotlight/state/pilotlight/machine.json'), JSON.stringify({ version: OLD }))
  const cmdline = `pilotlight.disk pilotlight.slot=${OLD}`
  const { stdout } = await machine.slot(['good'], `${cmdline} pilotlight.entered=kexec`)
  t.match(stdout, /without a boot by its loader/)
  t.strictSame(files(), [entry('+2-1')])
  await machine.slot(['good'], cmdline)
  t.strictSame(files(), [entry('')])
})

t.test(
  'the kernel of a slot that is started by kexec is told so, with the command line of its loader',
  async t => {
    const folder = t.testdir({ esp: {}, state: {} })
    const version = join(folder, 'esp/pilotlight', OLD)
    mkdirSync(version, { recursive: true })
    for (const name of ['vmlinuz', 'initrd.img']) writeFileSync(join(version, name), name)
    writeFileSync(join(version, 'slot.cfg'), `set cmdline="pilotlight.disk pilotlight.slot=${OLD} quiet"\n`)
    const program = readFileSync(join(LIVE, 'dracut/disk/own-kernel'), 'utf8')
    writeFileSync(join(folder, 'own-kernel'), program.replaceAll('/run/own-kernel', `${folder}/kernel`))
    const recorded = ['mount', 'umount', 'veritysetup', 'systemctl', 'sleep', 'sync', 'kexec']
      .map(name => `${name}() { echo "${name} $*" >> ${folder}/calls; }`)
      .join('; ')
    const sourced = `. ${LIVE}/root/usr/lib/pilotlight/disk-common; . ${LIVE}/dracut/disk/state`
    const here = `run=${folder} state=${folder}/state kept=${folder}/state esp=${folder}/esp DISKS=/dev/sda SLOT=a VERSION=${OLD}`
    const text = `set -eu; ${recorded}; ${sourced}; ${here}; . ${folder}/own-kernel`
    t.throws(() => execFileSync('sh', ['-c', text], { stdio: 'pipe' }), 'it does not go on when that fails')
    t.match(
      readFileSync(join(folder, 'calls'), 'utf8'),
      new RegExp(
        `--command-line=pilotlight\\.disk pilotlight\\.slot=${OLD} quiet pilotlight\\.entered=kexec\n`,
      ),
    )
  },
)
