// The process of certificate-maker.ts: makes a certificate for each message. It ends with its parent's channel, or when one fails.

import { makeAuthority, makeLeaf, remakeAuthority, type KeyPair } from '#host/x509.ts'
import type { MakerTask } from './certificate-maker.ts'

process.on('message', task => {
  void make(task as MakerTask).then(made => process.send?.(made)) // of certificate-maker.ts
})

function make(task: MakerTask): Promise<KeyPair> {
  if (task.make === 'authority') return makeAuthority(task.subject, task.validity)
  if (task.make === 'leaf') return makeLeaf(task.leaf, task.validity, task.authority)
  return remakeAuthority(task.authority, task.validity)
}
