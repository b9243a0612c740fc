// What a machine asks on its way from firmware to operating system, with Matchbox's routes and meaning.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import type { Clients } from '../inventory/clients.ts'
import type { Journal } from '../inventory/journal.ts'
import type { Labels, Machine } from '../inventory/objects.ts'
import { parseLabels, rawQueryOf } from '../match/labels.ts'
import { bytesOf } from '../match/text.ts'
import {
  grubOf,
  ignitionTextOf,
  knownOf,
  MATCHBOX_BOOT_SCRIPT,
  machineOf,
  matchOf,
  scriptOf,
  type Match,
  type Sources,
} from '../render/answers.ts'
import { cloudText, genericText } from '../render/generic.ts'
import { metadataText } from '../render/metadata.ts'
import type { Log } from '../log.ts'
import type { Signer } from '../signing/key-ring.ts'
import { sendContent } from './content.ts'
import { plain, plainAnswer, statusOf } from './problems.ts'
import { targetOf } from './raw-targets.ts'
import { addPage, isForSignature } from './signatures.ts'

/** What these routes need of the service. */
export type BootNeeds = {
  readonly sources: () => Sources
  readonly journal: Pick<Journal, 'record' | 'currentOf'>
  readonly clients: Pick<Clients, 'booted' | 'macOf' | 'mayBe'>
  readonly tokens: { mint(machine: string, boot: string): string }
  /** Signs what is served, where there is a key ring. */
  readonly signer?: Signer | undefined
  readonly log: Log
}

/** `/`, `/boot.ipxe`, `/autoexec.ipxe`, `/ipxe`, `/grub`, `/ignition`, `/generic`, `/cloud`, `/metadata`. */
export const bootRoutes: FastifyPluginCallback<BootNeeds> = (app, needs, done) => {
  const { sources, journal, clients, tokens, log } = needs
  const page = addPage.bind(undefined, app, needs.signer)
  app.setErrorHandler(plainAnswer(log))
  // Matchbox reads the query and nothing else, whatever the method: a body of any kind is let pass.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_, payload, parsed) => {
    payload.resume()
    parsed(null)
  })

  app.all('/', (request, reply) => {
    if (request.headers.accept?.includes('text/html')) return reply.redirect('/ui/', 302)
    return plain(reply, 'matchbox\n')
  })

  for (const path of ['/boot.ipxe', '/boot.ipxe.0', '/autoexec.ipxe']) {
    const name = path === '/autoexec.ipxe' ? 'ipxe/autoexec.ipxe.njk' : 'ipxe/boot.ipxe.njk'
    page(path, (_, reply) => {
      const { templates, endpoints } = sources()
      return plain(reply, templates.has(name) ? templates.render(name, endpoints) : MATCHBOX_BOOT_SCRIPT)
    })
  }

  page('/ipxe', (request, reply) =>
    asked(request, (match, from) => {
      const { script, assets } = scriptOf(sources(), match)
      if (from !== undefined) {
        clients.booted(request.ip, from, assets)
        tell(from, match.labels, 'script', `runs profile ${match.profile.id}`, {
          profile: match.profile.id,
          group: match.group.id,
        })
      }
      return plain(reply, script)
    }),
  )

  page('/grub', (request, reply) => asked(request, match => plain(reply, grubOf(sources(), match))))

  page('/ignition', (request, reply) =>
    asked(request, (match, from) => {
      // A token only goes to the machine itself: whoever else reads the config gets it without.
      const { machine } = match
      const boot =
        from === undefined
          ? undefined
          : (journal.currentOf({ mac: from, ...(machine && { machine }) }) ??
            tell(from, match.labels, 'asked', 'asks for its config, without a script from here', {}))
      const token = machine && boot ? tokens.mint(machine.name, boot.id) : ''
      const text = ignitionTextOf(sources(), match, { token, rawQuery: rawQueryOf(targetOf(request.raw)) })
      if (from !== undefined) {
        const detail = { profile: match.profile.id, bytes: Buffer.byteLength(text) }
        tell(from, match.labels, 'config', `fetched ${match.profile.ignition_id ?? ''}`, detail)
      }
      // Bytes, because Fastify would add a character set to a text, and Matchbox has none.
      return reply.type('application/json').send(Buffer.from(text))
    }),
  )

  for (const [path, textIn] of [
    ['/generic', genericText],
    ['/cloud', cloudText],
  ] as const) {
    page(path, (request, reply) =>
      asked(request, match => {
        const rawQuery = rawQueryOf(targetOf(request.raw))
        return sendContent(request, reply, bytesOf(textIn(sources(), { ...match, rawQuery })))
      }),
    )
  }

  // Group only: the profile need not exist.
  page('/metadata', (request, reply) => {
    const query = rawQueryOf(targetOf(request.raw))
    const labels = parseLabels(query)
    const { catalog } = sources()
    const group = catalog.group(labels, knownOf(machineOf(catalog, labels), request.ip))
    const text = metadataText(group, labels, query)
    return reply.type('text/plain; charset=utf-8').send(bytesOf(text))
  })

  done()

  /** Answers a request of whoever its labels tell; when that fails, its journal says why. */
  function asked(
    request: FastifyRequest,
    answer: (match: Match, from: string | undefined) => FastifyReply,
  ): FastifyReply {
    const labels = parseLabels(rawQueryOf(targetOf(request.raw)))
    const { catalog } = sources()
    const machine = machineOf(catalog, labels)
    const from = isForSignature(request) ? undefined : senderOf(request.ip, labels, machine)
    try {
      return answer(matchOf(catalog, labels, request.ip), from)
    } catch (error) {
      if (from !== undefined) refused(from, labels, request, error)
      throw error
    }
  }

  /** The MAC to write the journal for; undefined when somebody else looks at what the machine would get. */
  function senderOf(address: string, labels: Labels, machine: Machine | undefined): string | undefined {
    const mac = labels.mac ?? machine?.macs[0] ?? clients.macOf(address)
    if (mac === undefined) return undefined
    const macs = machine === undefined ? [mac] : [mac, ...machine.macs]
    const own = { macs, ...(machine && { address: machine.address }) }
    return clients.mayBe(address, own) ? mac : undefined
  }

  function tell(
    mac: string,
    labels: Labels,
    kind: string,
    text: string,
    detail: Record<string, string | number>,
  ) {
    const { uuid } = labels
    return journal.record({ mac, layer: 'http', kind, text, detail, ...(uuid === undefined ? {} : { uuid }) })
  }

  function refused(mac: string, labels: Labels, request: FastifyRequest, error: unknown): void {
    const { status, code, text } = statusOf(error)
    const machine = machineOf(sources().catalog, labels)
    const last = journal.currentOf({ mac, ...(machine && { machine }) })?.last
    if (last?.kind === 'refused' && last.text === text) return // a machine that waits asks again and again
    const route = request.url.split('?', 1)[0] ?? ''
    tell(mac, labels, 'refused', text, { status, code, route })
  }
}
