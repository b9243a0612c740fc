// A page and, where there is a key ring, its detached signatures beside it: `/ipxe`, `/ipxe.sig`, `/ipxe.asc`.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { SignatureForm, Signer } from '../../../signing/key-ring.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on the routes that answer with the signature of a page. */
    readonly signature?: SignatureForm
  }
}

const FORMS: readonly (readonly [ending: string, form: SignatureForm, type: string])[] = [
  ['.sig', 'binary', 'application/octet-stream'],
  ['.asc', 'armored', 'text/plain; charset=utf-8'],
]

/**
 * Adds a page for all methods, and the routes of its signatures. They run the page's own handler and sign what it
 * answers, with its status: an error's text is signed as well, as in Matchbox.
 */
export function addPage(
  app: FastifyInstance,
  signer: Signer | undefined,
  path: string,
  handler: (
    request: FastifyRequest,
    reply: FastifyReply,
  ) => FastifyReply | Promise<FastifyReply | string | Buffer>,
): void {
  app.all(path, handler)
  if (signer === undefined) return
  for (const [ending, form, type] of FORMS) {
    app.route({
      method: app.supportedMethods,
      url: `${path}${ending}`,
      config: { signature: form },
      onRequest: (request, _, next) => {
        // The whole page is signed, whatever part of it the client asks for.
        for (const name of ['range', 'if-range', 'if-none-match', 'if-match']) delete request.headers[name]
        next()
      },
      onSend: async (_, reply, payload) => {
        void reply.removeHeader('accept-ranges').header('content-type', type)
        const page = Buffer.from((payload ?? '') as string | Buffer) // pages are texts or bytes
        return Buffer.from(await signer.sign(page, form))
      },
      handler,
    })
  }
}

/** Says whether a request is for the signature of a page: its client checks a page, and boots nothing with it. */
export function isForSignature(request: FastifyRequest): boolean {
  return request.routeOptions.config.signature !== undefined
}
