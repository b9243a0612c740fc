// The operator's page at /ui/: the files of web/ unchanged, under a content security policy that allows no other source.

import { readFileSync } from 'node:fs'
import type { FastifyPluginCallback } from 'fastify'

const FOLDER = new URL('../../../../web/', import.meta.url)

const FILES = [
  { path: '/ui/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/ui/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' },
  { path: '/ui/page.css', file: 'page.css', type: 'text/css; charset=utf-8' },
] as const

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const

/** Anyone gets the files, which are the same everywhere: what the page shows it asks for with its user's token. */
const config = { access: 'open' } as const

/** `GET /ui/` and its two files. */
export const pageRoutes: FastifyPluginCallback = (app, _, done) => {
  app.get('/ui', { config }, (_request, reply) => reply.redirect('/ui/', 301))
  for (const { path, file, type } of FILES) {
    app.get(path, { config }, (_request, reply) =>
      reply
        .headers(HEADERS)
        .type(type)
        .send(readFileSync(new URL(file, FOLDER))),
    )
  }
  done()
}
