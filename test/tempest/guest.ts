// Tempest logs in to its servers; our guest lets no one in, and reads no CD-ROM, which a configuration drive is. Behind the
// guest's initramfs a second archive adds what that takes, with its own first process, which the command line names.

import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { findArtefact } from '#host/cache.ts'
import { run } from '#host/command.ts'
import { moduleOrder } from '#images/guest.ts'
import { guestKernelRecipe } from '#images/guest-kernel.ts'

const SCRIPTS = join(import.meta.dirname, 'guest')
/** Debian's dropbear-bin. */
const SERVER = '/usr/sbin/dropbear'
/** CD-ROMs of servers, and what is on them. */
const MODULES = ['ata_piix', 'sr_mod', 'isofs']

/** The kernel arguments of such a guest. */
export const LOGIN_COMMAND_LINE = 'console=ttyS0 rdinit=/login'

/** Writes `guest`, an initramfs of the verification guest, with a login into `folder`; gives the new file's path. */
export async function withLogin(guest: string, folder: string): Promise<string> {
  const root = join(folder, 'login')
  const put = async (from: string, to: string) => {
    const path = join(root, to)
    await mkdir(dirname(path), { recursive: true })
    await copyFile(from, path)
    await chmod(path, 0o755)
  }
  await put(join(SCRIPTS, 'login'), 'login')
  for (const script of ['sudo', 'curl', 'blkid']) await put(join(SCRIPTS, script), join('bin', script))
  await put(SERVER, join('bin', basename(SERVER)))
  const { stdout: needed } = await run('ldd', [SERVER], { limitSeconds: 10 })
  for (const [library] of needed.matchAll(/\/\S+/g)) await put(library, library)
  await mkdir(join(root, 'mnt'))
  const modules = await modulesFolder()
  const ordered = moduleOrder(await readFile(join(modules, 'modules.dep'), 'utf8'), MODULES)
  for (const path of ordered) await put(join(modules, path), join('modules', basename(path)))
  await writeFile(join(root, 'modules/cdrom'), ordered.map(path => basename(path)).join('\n'))
  await mkdir(join(root, 'etc/dropbear'), { recursive: true }) // its host key, made at the first login
  await mkdir(join(root, 'root/.ssh'), { recursive: true, mode: 0o700 })
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n')
  const archive = join(folder, 'login.cpio')
  const pack = 'cd "$1" && find . | cpio --quiet --create --format=newc --owner=0:0 > "$2"'
  await run('sh', ['-euc', pack, 'sh', root, archive], { limitSeconds: 30 })
  const path = join(folder, 'initrd.img')
  // The kernel unpacks archives that follow one another.
  await writeFile(path, Buffer.concat([await readFile(guest), await readFile(archive)]))
  return path
}

/** Where the modules of the guest's kernel are. */
async function modulesFolder(): Promise<string> {
  const kernel = await findArtefact(guestKernelRecipe)
  if (kernel === undefined) throw new Error('The guest is not built: bin/pilotlight images build')
  const folder = join(kernel.path, 'root/lib/modules')
  const [release = ''] = await readdir(folder)
  return join(folder, release)
}
