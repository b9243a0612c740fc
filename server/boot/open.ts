// What machines boot: the inventory as it is now, what makes texts of its templates, boot loaders, and what signs.

import { readLoaders, type Loaders } from '../assets/loaders.ts'
import { localFilesBelow } from '../formats/butane/local-files.ts'
import type { Catalog } from '../inventory/catalog.ts'
import { templateFiles } from '../inventory/template-files.ts'
import type { Log } from '../log.ts'
import { openKeyRing, type Signer } from '../signing/key-ring.ts'
import type { Sources } from './render/answers.ts'
import type { Endpoints } from './render/context.ts'
import { GoTemplates } from './render/go-templates.ts'
import { Templates } from './render/templates.ts'

/** What the boot room needs from the service. */
export type BootService = {
  /** Always as of now. */
  readonly catalog: Catalog
  /** Where machines reach the server, which is known once its ports are. */
  readonly endpoints: (at?: string) => Endpoints
  readonly settings: {
    readonly dataPath: string
    /** Butane configs read no file of it. */
    readonly statePath: string
    readonly loadersPath: string
    /** An OpenPGP key ring to sign with, and what opens its key. */
    readonly keyRingPath: string | undefined
    readonly keyRingPassphrase: string | undefined
  }
  readonly log: Log
}

/** What machines boot. */
export type BootFiles = {
  /** What each request is answered from; `at` is the address of ours that it reached. */
  readonly sources: (at?: string) => Sources
  readonly loaders: Loaders
  /** Why each loader that is missing could not be read. */
  readonly missingLoaders: readonly string[]
  /** Undefined when the server signs nothing. */
  readonly signer: Signer | undefined
  /** What an iPXE without an embedded script looks for beside itself; undefined where there is no template of it. */
  readonly autoexec: () => string | undefined
}

const AUTOEXEC = 'ipxe/autoexec.ipxe.njk'

/**
 * Reads the boot loaders and the key ring. A loader that is missing is logged.
 *
 * @throws {BadSettings} when the key ring cannot be used
 */
export async function openBoot({ catalog, endpoints, settings, log }: BootService): Promise<BootFiles> {
  const { dataPath, statePath, loadersPath, keyRingPath, keyRingPassphrase } = settings
  const missingLoaders: string[] = []
  const loaders = await readLoaders(loadersPath, reason => {
    missingLoaders.push(reason)
    log('warn', `A boot loader is missing, machines that need it cannot boot: ${reason}`)
  })
  const signer = keyRingPath === undefined ? undefined : await openKeyRing(keyRingPath, keyRingPassphrase)
  const templates = new Templates(templateFiles(catalog))
  const goTemplates = new GoTemplates(templateFiles(catalog))
  const localFiles = localFilesBelow(dataPath, statePath)
  return {
    sources: at => ({ catalog, templates, goTemplates, localFiles, endpoints: endpoints(at) }),
    loaders,
    missingLoaders,
    signer,
    autoexec: () => (templates.has(AUTOEXEC) ? templates.render(AUTOEXEC, endpoints()) : undefined),
  }
}
