// A slot that an operator's key has signed, small: the kernel and the initrd of the verification guest, and the true loader.

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { guestRecipe } from '#images/guest.ts'
import { loadersRecipe } from '#images/loaders.ts'
import { loaderToolsRecipe } from '#images/loader-tools.ts'
import { signAssets, type Signing } from '#images/secure-boot.ts'
import { makeUki, SLOT_FILES, writeSlot } from '#images/slot.ts'
import { silentStage } from '#progress/stage.ts'
import { absent } from '../absent.ts'
import { Disk, startUntil } from './disk.ts'

/** OVMF's build that checks signatures. */
export const SECURE_CODE = '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd'
/** The version's own word on the kernel's command line, which says that it was started. */
export const COMMAND_LINE = `pilotlight.slot=signed roothash=${'ab'.repeat(32)} console=ttyS0`
/** The place of the unified kernel image on the EFI system partition. */
export const KERNEL_IMAGE = 'EFI/Linux/pilotlight_1-abababababab+3.efi'
const ROOTHASH = 'ab'.repeat(32)

const limit = { limitSeconds: 60 }
const PAIR = 'req -new -x509 -nodes -days 2 -subj /CN=test'.split(' ')

/** The folders of built artefacts that are needed, or why there is no test: `skip`. */
export async function signedSlotNeeds(): Promise<{
  readonly tools: string
  readonly loaders: string
  readonly guest: string
  readonly skip: string | false
}> {
  const built =
    process.getuid?.() === 0
      ? await Promise.all([loaderToolsRecipe, loadersRecipe, guestRecipe].map(recipe => findArtefact(recipe)))
      : []
  const [tools = '', loaders = '', guest = ''] = built.map(artefact => artefact?.path ?? '')
  const isBuilt = tools !== '' && loaders !== '' && guest !== ''
  const skip = isBuilt
    ? absent('qemu-system-x86_64', 'sgdisk', 'mkfs.fat', 'mcopy', SECURE_CODE)
    : 'needs root and built images: pilotlight images build'
  return { tools, loaders, guest, skip }
}

/** A key and its certificate in `folder`. */
export async function makePair(folder: string, name: string, kind = ['-newkey', 'rsa:2048']): Promise<void> {
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)]
  await run('openssl', [...PAIR, ...kind, ...files], limit)
}

/** A signed slot in a folder. */
export type SignedSlot = {
  /** `live` of the assets. */
  readonly live: string
  /** How it was signed: again with the same is no change. */
  readonly signing: Signing
  /** What was signed. */
  readonly signed: readonly string[]
  /** The unified kernel image without a signature. */
  readonly unsigned: string
  /**
   * Starts a machine whose firmware keeps its variables between starts, from a disk with the slot; `changed` are other files on its EFI system
   * partition. Gives what its console showed until `text`.
   */
  readonly start: (
    name: string,
    changed: Readonly<Record<string, string>>,
    text: RegExp,
    limitSeconds?: number,
  ) => Promise<string>
}

/** Makes the slot in `folder`, signs it with a new key `db`, and trusts another one, `other`, beside it. */
export async function signedSlot(
  folder: string,
  { tools, loaders, guest }: { readonly tools: string; readonly loaders: string; readonly guest: string },
): Promise<SignedSlot> {
  const at = (name: string) => join(folder, name)
  const live = at('assets/live')
  mkdirSync(join(live, 'grub'), { recursive: true })
  mkdirSync(at('uki'))
  writeFileSync(at('microcode'), '')
  const needs = { [loaderToolsRecipe.name]: tools }
  const work = { directory: at('uki'), needs, stage: silentStage, log: at('log') }
  const vmlinuz = join(guest, 'vmlinuz')
  const uki = { vmlinuz, microcode: at('microcode'), initrd: join(guest, 'initrd.img') }
  await makeUki(work, { ...uki, roothash: ROOTHASH, cmdline: COMMAND_LINE })
  for (const name of SLOT_FILES) writeFileSync(join(live, name), name)
  copyFileSync(at('uki/pilotlight.efi'), join(live, 'pilotlight.efi'))
  for (const name of ['systemd-bootx64.efi', 'loader.conf'])
    copyFileSync(join(loaders, name), join(live, name))
  copyFileSync(vmlinuz, join(live, 'vmlinuz'))
  await writeSlot(live, { version: ROOTHASH.slice(0, 12), roothash: ROOTHASH, cmdline: COMMAND_LINE })
  await makePair(folder, 'db')
  await makePair(folder, 'other')
  const signing = {
    assets: at('assets'),
    key: at('db.key'),
    certificate: at('db.crt'),
    trust: [at('other.crt')],
    enrol: true,
    programs: [],
    stage: silentStage,
  }
  const signed = await signAssets(signing)
  copyFileSync('/usr/share/OVMF/OVMF_VARS_4M.fd', at('variables.fd'))
  const ovmf = { code: SECURE_CODE, variables: at('variables.fd') }
  const esp = {
    'EFI/BOOT/BOOTX64.EFI': join(live, 'systemd-bootx64.efi'),
    [KERNEL_IMAGE]: join(live, 'pilotlight.efi'),
    'loader/loader.conf': join(live, 'loader.conf'),
    'loader/keys/auto/db.auth': join(live, 'keys/db.auth'),
    'loader/keys/auto/KEK.auth': join(live, 'keys/KEK.auth'),
    'loader/keys/auto/PK.auth': join(live, 'keys/PK.auth'),
  }
  return {
    live,
    signing,
    signed,
    unsigned: at('uki/pilotlight.efi'),
    start: async (name, changed, text, limitSeconds) => {
      mkdirSync(at(name))
      const disk = await Disk.make(at(name), { ...esp, ...changed })
      return startUntil({ disk, ovmf }, text, join(at(name), 'console'), limitSeconds)
    },
  }
}
