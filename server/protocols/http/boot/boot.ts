// What a machine asks on its way from firmware to operating system, with Matchbox's routes and meaning.

import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { isLoopback } from '#model/address.ts'
import type { Machine } from '#model/machine.ts'
import type { Labels } from '#model/selector.ts'
import { bytesOf } from '#model/text.ts'
import { RebootHeld, RebootTooLate, StillStarting } from '../../../errors.ts'
import { trustOf } from '../../../agent/trust.ts'
import { objectionTo } from '../../../agent/proof.ts'
import type { Copies } from '../../../agent/copies.ts'
import type { Reboot, BootTokens } from '../../../agent/boot-tokens.ts'
import type { Waits } from '../../../agent/waits.ts'
import type { Clients } from '../../../machines/clients.ts'
import type { Alarms } from '../../../machines/alarms.ts'
import { isKnownByUuidAlone, isLeaseOf } from '../../../machines/identity.ts'
import type { CurrentBoot, Journal, NewEvent } from '../../../machines/journal.ts'
import { parseLabels, rawQueryOf } from '../../../boot/match/labels.ts'
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
} from '../../../boot/render/answers.ts'
import { cloudText, genericText } from '../../../boot/render/generic.ts'
import { metadataText } from '../../../boot/render/metadata.ts'
import type { Log } from '../../../log.ts'
import type { Signer } from '../../../signing/key-ring.ts'
import { sendContent } from '../wire/content.ts'
import { plain } from '../wire/replies.ts'
import { plainAnswer, statusOf } from '../wire/problems.ts'
import { targetOf } from '../wire/raw-targets.ts'
import { addPage, isForSignature } from './signatures.ts'

/** What these routes need of the service. */
export type BootNeeds = {
  readonly sources: () => Sources
  readonly journal: Pick<Journal, 'record' | 'currentOf' | 'arrive' | 'bootAt'>
  readonly clients: Pick<Clients, 'booted' | 'macOf' | 'mayBe' | 'leaseAt' | 'dhcp' | 'isOpen'>
  readonly tokens: Pick<BootTokens, 'mint' | 'isReboot' | 'rebootOf'>
  readonly hasBundle: (machine: string) => Promise<boolean>
  /** Boots that wait for an operator. */
  readonly waits: Pick<Waits, 'isOver'>
  readonly alarms: Pick<Alarms, 'raise'>
  readonly copies: Pick<Copies, 'saw'>
  /** Signs what is served, where there is a key ring. */
  readonly signer?: Signer | undefined
  readonly log: Log
}

/** `/`, `/boot.ipxe`, `/autoexec.ipxe`, `/ipxe`, `/grub`, `/ignition`, `/generic`, `/cloud`, `/metadata`. */
export const bootRoutes: FastifyPluginCallback<BootNeeds> = (app, needs, done) => {
  const { sources, journal, clients, tokens, hasBundle, waits, alarms, copies, log } = needs
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
        clients.booted(request.ip, from.mac, assets)
        journal.arrive(from, { address: request.ip, at: 'script' })
        const detail = { profile: match.profile.id, group: match.group.id, from: request.ip }
        // Where DHCP shows no boot, its script is the first that we see of it.
        record(from, {
          kind: 'script',
          text: `runs profile ${match.profile.id}`,
          detail,
          startsBoot: clients.dhcp === 'off',
        })
      }
      // A signature is of the script as it is for everyone: no text of one boot is put into what is signed.
      const held = needs.signer === undefined && from?.machine ? heldAt(from.machine, request.ip) : undefined
      if (held === undefined) return plain(reply, script)
      return held.then(why => plain(reply, why === undefined ? script : withNotice(script, why.message)))
    }),
  )

  page('/grub', (request, reply) => asked(request, match => plain(reply, grubOf(sources(), match))))

  page('/ignition', (request, reply) =>
    asked(request, async (match, from) => {
      if (from !== undefined) {
        const known = journal.arrive(from, { address: request.ip, at: 'config' })
        if (known === undefined) {
          tell(from, 'asked', 'asks for its config, without a script from here', {})
        }
      }
      const given = match.machine && (await tokenFor(request, match.labels, match.machine))
      const token = given?.token ?? ''
      const config = ignitionTextOf(sources(), match, { token, rawQuery: rawQueryOf(targetOf(request.raw)) })
      // In a declared machine's name it is the machine's own step only with a token; else an alarm says who asked.
      if (from !== undefined && (match.machine === undefined || token !== '')) {
        const detail = { profile: match.profile.id, bytes: Buffer.byteLength(config) }
        const text = `fetched ${match.profile.ignition_id ?? ''}`
        record(from, { kind: 'config', text, detail, ...(given && { boot: given.boot }) })
      }
      // Bytes, because Fastify would add a character set to a text, and Matchbox has none.
      void reply.type('application/json')
      return Buffer.from(config)
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
    if (!isForSignature(request)) lookForCopies(request, labels, catalog)
    const group = catalog.group(labels, knownOf(machineOf(catalog, labels), request.ip))
    const text = metadataText(group, labels, query)
    return reply.type('text/plain; charset=utf-8').send(bytesOf(text))
  })

  done()

  /** Answers a request of whoever its labels tell; when that fails, its journal says why. */
  function asked(request: FastifyRequest, answer: (match: Match, from: Asker | undefined) => Answer): Answer {
    const labels = parseLabels(rawQueryOf(targetOf(request.raw)))
    const { catalog } = sources()
    const machine = machineOf(catalog, labels)
    const from = isForSignature(request) ? undefined : senderOf(request.ip, labels, machine)
    if (!isForSignature(request)) lookForCopies(request, labels, catalog)
    const failed = (error: unknown): never => {
      if (from !== undefined) refused(from, request, error)
      throw error
    }
    try {
      const answered = answer(matchOf(catalog, labels, request.ip, machine), from)
      return answered instanceof Promise ? answered.catch(failed) : answered
    } catch (error) {
      return failed(error)
    }
  }

  /**
   * Whose journal to write; undefined when someone else looks at what the machine would get. A MAC that is not the
   * machine's, with its UUID, is that of a stranger; so is any MAC with the UUID of a machine that is declared by it
   * alone, unless the lease of the sender's address was bound with that UUID, or DHCP here shows no lease.
   */
  function senderOf(address: string, labels: Labels, machine: Machine | undefined): Asker | undefined {
    const mac = labels.mac ?? machine?.macs[0] ?? clients.macOf(address)
    if (machine !== undefined && isKnownByUuidAlone(machine)) {
      if (clients.dhcp === 'off') return mac === undefined ? undefined : { mac, machine }
      const lease = clients.leaseAt(address)
      if (lease !== undefined && isLeaseOf(machine, lease)) return { mac: lease.mac, machine }
    }
    if (mac === undefined) return undefined
    if (machine?.macs.includes(mac)) {
      const own = { macs: machine.macs, address: machine.address }
      return clients.mayBe(address, own) ? { mac, machine } : undefined
    }
    return clients.mayBe(address, { macs: [mac] }) ? { mac } : undefined
  }

  /**
   * The token of this boot, for the machine itself, on disk; undefined for anyone else, and when the boot has had its own.
   * Who asks in a machine's name without being it is an alarm, unless it is someone on this host who looks at what would be
   * served.
   */
  async function tokenFor(
    request: FastifyRequest,
    labels: Labels,
    machine: Machine,
  ): Promise<{ readonly token: string; readonly boot: string } | undefined> {
    if (isForSignature(request)) return undefined
    if (!clients.isOpen) throw new StillStarting()
    const address = request.ip
    const { dhcp } = clients
    const boot = bootOf(machine, address)
    const objection = objectionTo(
      machine,
      { address, labels },
      { dhcp, lease: clients.leaseAt(address), boot },
    )
    let refusal = objection ?? 'it is in no boot'
    if (objection === undefined && boot !== undefined) {
      const reboot = await holdReboot(machine, boot, address)
      const isElsewhere = dhcp === 'off' && address !== machine.address
      const place = { proven: dhcp !== 'off', isElsewhere, ...placeOf(boot) }
      const minted = await tokens.mint(machine.name, boot.id, place)
      if ('token' in minted) {
        if (minted.isFirst && reboot !== undefined) tellReboot(machine, boot, reboot)
        return { token: minted.token, boot: boot.id }
      }
      refusal = minted.refused
    }
    if (!isOwn(address) || objection === undefined) {
      const text = `${address} asked for the config of ${machine.name} and got no token: ${refusal}`
      const mac = boot?.mac ?? machine.macs[0] ?? labels.mac ?? ''
      alarms.raise({
        kind: 'refused',
        mac,
        machine: machine.name,
        layer: 'http',
        reason: objection?.split(' ', 2).join(' ') ?? 'no more tokens', // how it begins is ours, the rest may be the sender's
        text,
        detail: { from: address },
      })
    }
    return undefined
  }

  /**
   * A machine that gets a bundle and was ready boots again: by the site's policy the boot waits for an operator until the
   * site's deadline. 503, because Ignition asks again then; and 403 after it.
   */
  async function holdReboot(
    machine: Machine,
    boot: CurrentBoot,
    address: string,
  ): Promise<Reboot | undefined> {
    if (!tokens.isReboot(machine.name, boot.id)) return undefined
    const { reboot, held } = await rebootOf(machine, boot)
    const { mac, id } = boot
    if (held !== undefined) {
      const where = { mac, machine: machine.name, layer: 'http', boot: id } as const
      alarms.raise({ kind: 'held', ...where, text: held.message, detail: { from: address } })
      throw held
    }
    return reboot
  }

  /** The boot as a second one, where it is one of a machine that gets a bundle; and why it is held, where it is. */
  async function rebootOf(
    machine: Machine,
    { id }: CurrentBoot,
  ): Promise<{ reboot?: Reboot; held?: RebootHeld | RebootTooLate }> {
    const reboot = await tokens.rebootOf(machine.name, id)
    if (reboot === undefined || !(await hasBundle(machine.name))) return {}
    const { reboot: policy, deadlineMinutes } = trustOf(machine)
    if (policy !== 'approve' || reboot.isReopened) return { reboot }
    const isOver = waits.isOver(machine.name, id, deadlineMinutes)
    const held = isOver
      ? new RebootTooLate(machine.name, reboot.last, deadlineMinutes)
      : new RebootHeld(machine.name, reboot.last)
    return { reboot, held }
  }

  /** Why the config of the boot at an address will be held; nothing is awaited for the many that are not second ones. */
  function heldAt(machine: Machine, address: string): Promise<Error | undefined> | undefined {
    const boot = bootOf(machine, address)
    if (boot === undefined || !tokens.isReboot(machine.name, boot.id)) return undefined
    return rebootOf(machine, boot).then(({ held }) => held)
  }

  function bootOf(machine: Machine, address: string): CurrentBoot | undefined {
    return clients.dhcp === 'off' ? journal.bootAt(machine, address) : journal.currentOf({ machine })
  }

  function tellReboot(machine: Machine, { mac, id }: CurrentBoot, reboot: Reboot): void {
    const { reboot: policy } = trustOf(machine)
    const how = reboot.isReopened ? 'an operator opened this boot' : `the site's reboot policy is ${policy}`
    const text = `${machine.name} was ready in boot ${reboot.last} and boots by firmware again: ${how}`
    journal.record({ mac, machine: machine.name, layer: 'http', kind: 'reboot', text, boot: id })
  }

  /** The machines that a request from elsewhere names: those of them that run are copied. */
  function lookForCopies(request: FastifyRequest, { mac, uuid }: Labels, catalog: Sources['catalog']): void {
    const from = request.ip
    if (isOwn(from)) return
    const named = new Set([catalog.machine({ mac }), catalog.machine({ uuid })])
    for (const machine of named) {
      if (machine === undefined) continue
      const text = `${from} asks for ${request.url.split('?', 1)[0]} in the name of ${machine.name}`
      copies.saw({ machine, as: 'request', layer: 'http', from, text })
    }
  }

  /** Says whether a request is of the provisioner's own host, where someone looks at what machines are served. */
  function isOwn(address: string): boolean {
    return isLoopback(address) || address === sources().endpoints.server.address
  }

  function tell(from: Asker, kind: string, text: string, detail: Record<string, string | number>) {
    return record(from, { kind, text, detail })
  }

  function record({ mac, machine }: Asker, event: Omit<NewEvent, 'mac' | 'machine' | 'layer'>) {
    return journal.record({ mac, layer: 'http', ...event, ...(machine && { machine: machine.name }) })
  }

  function refused(from: Asker, request: FastifyRequest, error: unknown): void {
    if (error instanceof RebootHeld || error instanceof RebootTooLate) return // an alarm says so
    const { status, code, text } = statusOf(error)
    const last = journal.currentOf(from)?.last
    if (last?.kind === 'refused' && last.text === text) return // a machine that waits asks again and again
    const route = request.url.split('?', 1)[0] ?? ''
    tell(from, 'refused', text, { status, code, route })
  }
}

/** An answer that is sent, or what is sent once it is there. */
type Answer = FastifyReply | Promise<FastifyReply | Buffer>

/** Who asks, as its journal is found: `machine` when the sender is taken for a declared one. */
type Asker = { readonly mac: string; readonly machine?: Machine }

/** A script of iPXE that says something first, for who stands before the machine: what Ignition says has no reasons. */
function withNotice(script: string, text: string): string {
  return script.replace(/^#!ipxe\r?\n/, start => `${start}echo ${text}\n`)
}

/** The switch port of a boot, and whether its DHCP came from another one, too. */
function placeOf({ port, ports = [] }: CurrentBoot): { port?: string; isPortMoved: boolean } {
  return { ...(port === undefined ? {} : { port }), isPortMoved: ports.length > 1 }
}
