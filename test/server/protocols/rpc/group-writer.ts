// Puts and removes groups over gRPC, and says whether the server answered.

import {
  credentials,
  makeGenericClientConstructor,
  status,
  type Client,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { PROJECT_ROOT } from '#server/config.ts'
import type { Group } from '#model/group.ts'

/** Codes of calls whose connection ended before they were answered. */
const UNANSWERED: readonly number[] = [status.UNAVAILABLE, status.CANCELLED, status.DEADLINE_EXCEEDED]

/** A client of the server on a port of loopback, which shows a certificate. */
export function groupWriter(
  port: number,
  { ca, key, cert }: { readonly ca: string; readonly key: string; readonly cert: string },
) {
  const services = loadSync('rpc.proto', {
    includeDirs: [`${PROJECT_ROOT}/server/protocols/rpc/proto`],
    keepCase: true,
  })
  const Groups = makeGenericClientConstructor(services['rpcpb.Groups'] as ServiceDefinition, 'Groups') // by the file
  const identity = credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert))
  const client = new Groups(`localhost:${port}`, identity)

  /** Makes a call; false when it was not answered. */
  function call(method: string, message: object): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const answered = (error: ServiceError | null) => {
        if (error === null) resolve(true)
        else if (UNANSWERED.includes(error.code)) resolve(false)
        else reject(error)
      }
      const methods = client as Client & Record<string, (...args: unknown[]) => unknown> // made of the service
      methods[method]?.(message, { deadline: Date.now() + 20_000 }, answered)
    })
  }

  return {
    put: ({ metadata, ...group }: Group) =>
      call('GroupPut', { group: { ...group, metadata: Buffer.from(JSON.stringify(metadata)) } }),
    remove: (id: string) => call('GroupDelete', { id }),
    close: () => client.close(),
  }
}
