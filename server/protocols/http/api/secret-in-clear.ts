// What carries secrets is refused where others could read it on its way.

import type { TLSSocket } from 'node:tls'
import type { onRequestHookHandler } from 'fastify'
import { isFromHere } from '../../../access/hosts.ts'
import { SecretInClear } from '../../../access/errors.ts'

/** Refuses what other hosts could read on its way: an operator who sent it so must learn that it is no longer secret. */
export const refuseInClear: onRequestHookHandler = ({ raw, ip }, _, next) => {
  const socket = raw.socket as Partial<TLSSocket> & typeof raw.socket // plain on a listener without TLS
  next(socket.encrypted === true || isFromHere(socket) ? undefined : new SecretInClear(ip))
}
