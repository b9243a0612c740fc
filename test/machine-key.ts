// A machine's key as tests hold it: made by the age package, and what is sealed to it opened again.

import { armor, Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption'

/** A key of a machine. */
export type TestKey = {
  /** `age1…`. */
  readonly recipient: string
  /** Opens an armored challenge. */
  open(text: string): Promise<string>
  /** Opens a bundle: the tar in it. */
  openBytes(bytes: Uint8Array): Promise<Uint8Array>
}

/** Makes one. */
export async function machineKey(): Promise<TestKey> {
  const identity = await generateX25519Identity()
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  return {
    recipient: await identityToRecipient(identity),
    open: async text => decrypter.decrypt(armor.decode(text), 'text'),
    openBytes: async bytes => decrypter.decrypt(bytes),
  }
}
