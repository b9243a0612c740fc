// What a machine asks on its way from firmware to operating system, with Matchbox's routes and meaning.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import type { Installed } from '#model/install.ts'
import type { ConfigTokens } from '../../../agent/config-tokens.ts'
import type { LocalBoots } from '../../../disks/local-boots.ts'
import { parseLabels, rawQueryOf } from '../../../boot/match/labels.ts'
import {
  grubOf,
  ignitionTextOf,
  knownOf,
  localGrubOf,
  localScriptOf,
  machineOf,
  MATCHBOX_BOOT_SCRIPT,
  matchOf,
  rootFolderOf,
  scriptOf,
  type Match,
  type Sources,
} from '../../../boot/render/answers.ts'
import { cloudText, genericText } from '../../../boot/render/generic.ts'
import { metadataText } from '../../../boot/render/metadata.ts'
import { NoMatchingGroup, UnknownProfile } from '../../../inventory/errors.ts'
import { NothingToServe, UnknownTemplate } from '../../../boot/render/errors.ts'
import type { Log } from '../../../log.ts'
import type { Clients } from '../../../machines/clients.ts'
import type { Journal } from '../../../machines/journal.ts'
import type { Signer } from '../../../signing/key-ring.ts'
import { sendContent } from '../wire/content.ts'
import { plainAnswer } from '../wire/problems.ts'
import { targetOf } from '../wire/raw-targets.ts'
import { payloadOf, PLAIN, plain, sendText } from '../wire/replies.ts'
import { Askers, type Asker, type AskerNeeds } from './askers.ts'
import { addPage, isForSignature } from './signatures.ts'

/** What these routes need of the service. */
export type BootNeeds = Omit<AskerNeeds, 'catalog'> & {
  /** What a request is answered from that reached the address `at` of ours. */
  readonly sources: (at?: string) => Sources
  readonly journal: Pick<Journal, 'arrive' | 'reading'>
  readonly clients: Pick<Clients, 'booted' | 'dhcp'>
  readonly configTokens: Pick<ConfigTokens, 'give' | 'heldAt'>
  readonly localBoots: Pick<LocalBoots, 'bootFrom'>
  /** Waits until the catalog has what is in the data directory by now; says whether that changed anything. */
  readonly caughtUp: () => Promise<boolean>
  /** Signs what is served, where there is a key ring. */
  readonly signer?: Signer | undefined
  readonly log: Log
}

/** `/`, `/boot.ipxe`, `/autoexec.ipxe`, `/ipxe`, `/grub`, `/ignition`, `/generic`, `/cloud`, `/metadata`. */
export const bootRoutes: FastifyPluginCallback<BootNeeds> = (app, needs, done) => {
  const { sources, journal, clients, configTokens, log } = needs
  const askers = new Askers({ ...needs, catalog: () => sources().catalog })
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
    page(path, (request, reply) => {
      const { templates, endpoints } = sources(request.socket.localAddress)
      return plain(reply, templates.has(name) ? templates.render(name, endpoints) : MATCHBOX_BOOT_SCRIPT)
    })
  }
  page('/ipxe', answering(sendScript))
  page('/grub', answering(sendGrub))
  page('/ignition', answering(sendConfig))
  for (const [path, textIn] of [
    ['/generic', genericText],
    ['/cloud', cloudText],
  ] as const) {
    const send = ({ match, rawQuery, request, reply }: Asked) =>
      sendContent(request, reply, textIn(sources(request.socket.localAddress), { ...match, rawQuery }))
    page(path, answering(send))
  }
  page('/metadata', sendMetadata)
  done()

  /** Finds who asks, and the group and profile of the labels; when the answer fails, the journal of who asks says why. */
  function answering(answer: (asked: Asked) => Answer) {
    return (request: FastifyRequest, reply: FastifyReply): Answer => {
      const rawQuery = rawQueryOf(targetOf(request.raw))
      const labels = parseLabels(rawQuery)
      const { catalog } = sources()
      const isLooked = isForSignature(request)
      const machine = machineOf(catalog, labels)
      const from = isLooked ? undefined : askers.senderOf(request.ip, labels, machine)
      if (!isLooked) askers.lookForCopies(request.ip, pathOf(request), labels)
      const failed = (error: unknown): never => {
        if (from !== undefined) askers.refused(from, pathOf(request), error)
        throw error
      }
      const decide = () => {
        const match = matchOf(catalog, labels, request.ip, machine)
        return answer({ match, rawQuery, from, request, reply })
      }
      return withSecondLook(() => {
        const reading = from && journal.reading(from) // only just after a start
        return reading === undefined ? decide() : reading.then(decide)
      }, failed)
    }
  }

  /** Makes an answer. What is not there may be on disk since some milliseconds: it is looked for again before a 404. */
  function withSecondLook(make: () => Answer, failed: (error: unknown) => never): Answer {
    const again = async (error: unknown) => {
      try {
        if (!isAbsence(error) || !(await needs.caughtUp())) throw error
        return await make()
      } catch (final) {
        return failed(final)
      }
    }
    try {
      const answered = make()
      return answered instanceof Promise ? answered.catch(again) : answered
    } catch (error) {
      return again(error)
    }
  }

  /** The system on the disk that a machine is sent to; undefined where it boots what its profile says. */
  function localBootOf({ match, from, request }: Asked, render: Sources): Installed | undefined {
    const { machine } = match
    // Only in place of our own system: a profile of another one is an operator's wish.
    if (machine === undefined || rootFolderOf(render, match) === undefined) return undefined
    // Signature and script are of one text: what counts is the request of the script alone.
    const isForMachine = isForSignature(request)
    const isAsking = from?.machine !== undefined && !isForMachine
    const isElsewhere = clients.dhcp === 'off' && request.ip !== machine.address
    const elsewhere = isElsewhere && (isAsking || isForMachine) ? request.ip : undefined
    const boots = needs.localBoots.bootFrom(machine, isAsking, elsewhere)
    return boots.from === 'disk' ? boots.installed : undefined
  }

  function recordLocalBoot({ from, request }: Asked, { disk, version }: Installed): void {
    if (from === undefined) return
    clients.booted(request.ip, from.mac, new Map())
    journal.arrive(from, { address: request.ip, at: 'script' })
    askers.record(from, {
      kind: 'script',
      text: `local boot: it is installed (${version} on ${disk})`,
      detail: { local: 1, disk, from: request.ip },
      startsBoot: clients.dhcp === 'off',
    })
  }

  /** `/grub`: the same for GRUB 2. */
  function sendGrub(asked: Asked): Answer {
    const render = sources(asked.request.socket.localAddress)
    const installed = localBootOf(asked, render)
    if (installed === undefined) return plain(asked.reply, grubOf(render, asked.match))
    const config = localGrubOf(render, asked.match)
    recordLocalBoot(asked, installed)
    return plain(asked.reply, config)
  }

  /** `/ipxe`: the boot script of a match, or for an installed machine the one that sends it to its disk. */
  function sendScript(asked: Asked): Answer {
    const { match, from, request, reply } = asked
    const render = sources(request.socket.localAddress)
    const installed = localBootOf(asked, render)
    if (installed !== undefined) {
      const local = localScriptOf(render, match)
      recordLocalBoot(asked, installed)
      return plain(reply, local)
    }
    const { script, assets } = scriptOf(render, match)
    if (from !== undefined) {
      clients.booted(request.ip, from.mac, assets)
      journal.arrive(from, { address: request.ip, at: 'script' })
      askers.record(from, {
        kind: 'script',
        text: `runs profile ${match.profile.id}`,
        detail: { profile: match.profile.id, group: match.group.id, from: request.ip },
        // Where DHCP shows no boot, its script is the first that we see of it.
        startsBoot: clients.dhcp === 'off',
      })
    }
    // A signature is of the script as it is for everyone: no text of one boot is put into what is signed.
    const isAlike = needs.signer !== undefined
    const held = isAlike || !from?.machine ? undefined : configTokens.heldAt(from.machine, request.ip)
    if (held === undefined) return plain(reply, script)
    return held.then(why => plain(reply, why === undefined ? script : withNotice(script, why.message)))
  }

  /** `/ignition`: the config of a match, with the token of its boot where the machine itself asks. */
  async function sendConfig({ match, rawQuery, from, request, reply }: Asked): Promise<string | Buffer> {
    const { machine, labels, profile } = match
    const address = request.ip
    if (from !== undefined && journal.arrive(from, { address, at: 'config' }) === undefined) {
      const text = 'asks for its config, without a script from here'
      askers.record(from, { kind: 'asked', text, detail: {} })
    }
    const mayGet = machine !== undefined && !isForSignature(request)
    const given = mayGet ? await configTokens.give(machine, { address, labels }) : undefined
    const token = given?.token ?? ''
    const config = ignitionTextOf(sources(request.socket.localAddress), match, { token, rawQuery })
    // In a declared machine's name it is the machine's own step only with a token; else an alarm says who asked.
    if (from !== undefined && (machine === undefined || token !== '')) {
      const detail = { profile: profile.id, bytes: Buffer.byteLength(config) }
      const text = `fetched ${profile.ignition_id ?? ''}`
      askers.record(from, { kind: 'config', text, detail, ...(given && { boot: given.boot }) })
    }
    return payloadOf(reply, 'application/json', config) // without a character set, as Matchbox
  }

  /** `/metadata`: of the group alone; the profile need not exist. */
  function sendMetadata(request: FastifyRequest, reply: FastifyReply): Answer {
    const query = rawQueryOf(targetOf(request.raw))
    const labels = parseLabels(query)
    const { catalog } = sources()
    if (!isForSignature(request)) askers.lookForCopies(request.ip, pathOf(request), labels)
    const make = () => {
      const group = catalog.group(labels, knownOf(machineOf(catalog, labels), request.ip))
      const text = metadataText(group, labels, query)
      return sendText(reply, PLAIN, text)
    }
    return withSecondLook(make, error => {
      throw error
    })
  }
}

/** A request that was matched. */
type Asked = {
  readonly match: Match
  /** The query as it was sent. */
  readonly rawQuery: string
  /** Who asks; undefined when someone looks at what a machine would get. */
  readonly from: Asker | undefined
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

/** An answer that is sent, or what is sent once it is there. */
type Answer = FastifyReply | Promise<FastifyReply | string | Buffer>

/** Says whether something was not found that a file of the data directory would hold. */
function isAbsence(error: unknown): boolean {
  return [NoMatchingGroup, UnknownProfile, UnknownTemplate, NothingToServe].some(
    kind => error instanceof kind,
  )
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? ''
}

/** A script of iPXE that first shows a text, for the person in front of the machine: what Ignition prints gives no reasons. */
function withNotice(script: string, text: string): string {
  return script.replace(/^#!ipxe\r?\n/, start => `${start}echo ${text}\n`)
}
