// The console logs that machines sent, those of each start of a kernel apart.

import type { FastifyPluginCallback } from 'fastify'
import { NotFound } from '../../../errors.ts'
import type { Catalog } from '../../../inventory/catalog.ts'
import type { Log } from '../../../log.ts'
import { identifiersIn } from '../../../machines/identity.ts'
import type { ConsoleLogs, ConsoleStart } from '../../../store/console-logs.ts'
import { problemAnswer } from '../wire/problems.ts'
import { plain, pretty } from '../wire/replies.ts'
import { problem } from './openapi.ts'

/** What these routes need of the service. */
export type ConsoleNeeds = {
  readonly catalog: () => Catalog
  readonly consoles: Pick<ConsoleLogs, 'starts' | 'read' | 'wait'>
  /** Aborted when the server closes: those who wait get what there is. */
  readonly signal: AbortSignal
  readonly log: Log
}

const text = { type: 'string' } as const
const consoleQuery = {
  type: 'object',
  properties: {
    boot: {
      ...text,
      description: 'The last start is 1, the one before 2; or a boot of the journal, or the id of a kernel',
    },
    after: {
      type: 'integer',
      minimum: 0,
      description: 'The byte to begin with: `X-Console-Next` of the answer before',
    },
    wait: { type: 'number', minimum: 0, maximum: 60, description: 'Seconds to wait for more' },
  },
} as const

type ByName = { Params: { name: string } }
type Query = { readonly boot?: string; readonly after?: number; readonly wait?: number }

/** `GET /v1/machines/{name}/console?boot=&after=&wait=`, and `/console/boots`. */
export const consoleRoutes: FastifyPluginCallback<ConsoleNeeds> = (app, needs, done) => {
  const { catalog, consoles, signal, log } = needs
  app.setErrorHandler(problemAnswer(log))

  app.get<ByName & { Querystring: Query }>(
    '/v1/machines/:name/console',
    {
      schema: {
        tags: ['machines'],
        summary: 'The console log of a machine, by default that of its last start; or waits for more of it',
        querystring: consoleQuery,
        response: { 200: { content: { 'text/plain': { schema: text } } }, '4xx': problem },
      },
    },
    async (request, reply) => {
      const name = nameOf(request.params.name)
      const { boot = '1', after = 0, wait = 0 } = request.query
      const start = startOf(name, await consoles.starts(name), boot)
      let found = await consoles.read(name, start.kernel, after)
      if (found?.text === '' && wait > 0) {
        const gone = new AbortController()
        request.raw.once('close', () => gone.abort())
        await consoles.wait(name, wait * 1000, AbortSignal.any([signal, gone.signal]))
        found = await consoles.read(name, start.kernel, after)
      }
      if (found === undefined) throw noLog(name, boot) // its last part was just removed
      void reply.header('cache-control', 'no-store')
      void reply.header('x-console-next', found.next)
      void reply.header('x-console-boot', start.kernel)
      return plain(reply, found.text)
    },
  )

  app.get<ByName>(
    '/v1/machines/:name/console/boots',
    {
      schema: {
        tags: ['machines'],
        summary: 'The starts of a machine of which there is a console log, the last one first',
        response: {
          200: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                kernel: { ...text, description: 'The id that the kernel made for this start' },
                boot: { ...text, description: 'The boot in the journal' },
                began: { ...text, format: 'date-time', description: 'When its first part arrived' },
                bytes: { type: 'integer', description: 'What was sent in all' },
              },
            },
          },
          '4xx': problem,
        },
      },
    },
    async ({ params }, reply) => {
      const starts = await consoles.starts(nameOf(params.name))
      return pretty(
        reply,
        starts.map(({ began, ...start }) => ({ ...start, began: new Date(began).toISOString() })),
      )
    },
  )
  done()

  function nameOf(asked: string): string {
    const machine = catalog().machine(identifiersIn(asked))
    if (machine === undefined) throw new NotFound('machine', asked, `'pilotlight get machines' lists all.`)
    return machine.name
  }
}

/** The start that a text means. @throws {NotFound} */
function startOf(name: string, starts: readonly ConsoleStart[], boot: string): ConsoleStart {
  const number = /^[1-9]\d{0,3}$/.test(boot) ? Number(boot) : undefined
  const start =
    number === undefined ? starts.find(it => it.kernel === boot || it.boot === boot) : starts[number - 1]
  if (start === undefined) throw noLog(name, boot)
  return start
}

function noLog(name: string, boot: string): NotFound {
  return new NotFound(
    `console log of ${name} from start`,
    boot,
    `A machine sends one once it has its config; 'pilotlight console ${name} --boots' lists those that are kept.`,
  )
}
