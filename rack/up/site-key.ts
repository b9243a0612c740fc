// The key that seals what `pilotlight up` keeps of a site: the private keys of its PKI and the secrets of its cloud.

import { makeDirectory } from '#host/make-directory.ts'
import { openKey, type SealKey } from '#host/seal.ts'
import { hasSealedPki } from '../cluster/pki.ts'

/**
 * The key from PILOTLIGHT_SECRET_KEY, else the one in the state directory. It is made only when nothing there is sealed
 * yet: a second key beside things that the first one sealed would lock them away.
 *
 * @throws {SealError} when it is missing and something is sealed
 */
export async function siteKey(stateDirectory: string, pkiDirectory: string): Promise<SealKey> {
  makeDirectory(stateDirectory)
  const isSealed = (await hasSealedPki(pkiDirectory)) || (await hasSealedSecrets(stateDirectory))
  return openKey(stateDirectory, !isSealed)
}

async function hasSealedSecrets(stateDirectory: string): Promise<boolean> {
  const { ChartStore } = await import('../charts/store.ts')
  if (!ChartStore.exists(stateDirectory)) return false
  const store = new ChartStore(stateDirectory)
  try {
    return store.secrets().length > 0
  } finally {
    store.close()
  }
}
