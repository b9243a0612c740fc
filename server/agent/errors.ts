// The errors of tokens, keys and bundles of machines.

import { cleanLabel } from '#model/clean.ts'
import { ServerError } from '../errors.ts'

/** An agent call without a token that we know. */
export class UnknownToken extends ServerError {
  readonly code = 'UNKNOWN_TOKEN'
  readonly statusCode = 401
  constructor() {
    super('This token is not known. A machine gets one with its Ignition config: boot it again.')
  }
}

/** A token that is too old, void, or of an earlier boot. */
export class TokenExpired extends ServerError {
  readonly code = 'TOKEN_EXPIRED'
  readonly statusCode = 403
  constructor(machine: string, why: string) {
    super(`The token of ${machine} ${why}. A machine gets a new one with its Ignition config: boot it again.`)
  }
}

/** A token that another host than its machine shows. */
export class TokenElsewhere extends ServerError {
  readonly code = 'TOKEN_ELSEWHERE'
  readonly statusCode = 403
  constructor(machine: { readonly name: string; readonly address: string }, from: string) {
    super(
      `${from} showed the token of ${machine.name}, which is valid from ${machine.address} only. ` +
        'If that is the machine itself, its route to this server must leave by the card that it booted with.',
    )
  }
}

/** The bundle was handed out in this boot before. */
export class TokenReplayed extends ServerError {
  readonly code = 'TOKEN_REPLAYED'
  readonly statusCode = 409
  constructor(machine: string) {
    super(
      `The bundle of ${machine} was fetched in this boot before. If that was not the machine itself, ` +
        'someone else has its secrets: renew them, and boot the machine again.',
    )
  }
}

/** The bundle may not be sealed to the key that the machine showed. */
export class KeyRefused extends ServerError {
  readonly code = 'KEY_REFUSED'
  readonly statusCode = 403
  constructor(machine: string, why: string) {
    super(
      `${machine} gets no bundle with this key: ${why}. ` +
        `'pilotlight machines pending' shows the keys that wait, 'pilotlight journal ${machine}' what happened.`,
    )
  }
}

/** The challenge was not opened with the key that it was sealed to. */
export class WrongAnswer extends ServerError {
  readonly code = 'WRONG_ANSWER'
  readonly statusCode = 403
  constructor(machine: string) {
    super(
      `That is not what was sealed to the key of ${machine} last. Enroll again, and answer the new challenge.`,
    )
  }
}

/** A machine asks to renew what it was not given in this boot. */
export class NotDelivered extends ServerError {
  readonly code = 'NOT_DELIVERED'
  readonly statusCode = 409
  constructor(machine: string) {
    super(`${machine} was given no bundle in this boot: there is nothing to renew. Fetch the bundle first.`)
  }
}

/** An operator named no key, and none waits. */
export class NoKeyWaits extends ServerError {
  readonly code = 'NO_KEY_WAITS'
  readonly statusCode = 404
  constructor(machine: string) {
    super(
      `No key of ${machine} waits for a decision. Name another key of it with --fingerprint; ` +
        `'pilotlight journal ${machine}' shows the keys that were seen and what became of them.`,
    )
  }
}

/** An operator named no key, and more than one waits, or was shown in the boot of the one that waits. */
export class AmbiguousKey extends ServerError {
  readonly code = 'AMBIGUOUS_KEY'
  readonly statusCode = 409
  constructor(machine: string, keys: readonly { fingerprint: string; address: string; state: string }[]) {
    const shown = keys.map(({ fingerprint, address, state }) => `${fingerprint} at ${address} (${state})`)
    super(
      `${machine} showed ${keys.length} keys: ${shown.join(', ')}. ` +
        'Compare with the console of the machine, and name one with --fingerprint.',
    )
  }
}

/** An operator approves a second key of one boot, or one of an earlier boot. */
export class OtherKeyApproved extends ServerError {
  readonly code = 'OTHER_KEY_APPROVED'
  readonly statusCode = 409
  constructor(
    machine: string,
    key: { readonly fingerprint: string; readonly boot: string },
    approved: { readonly fingerprint: string; readonly boot: string; readonly address: string },
  ) {
    const which = approved.boot === key.boot ? 'another key of the same boot' : `a key of a later boot`
    super(
      `${which} of ${machine} is approved: ${approved.fingerprint} at ${approved.address} (boot ${approved.boot}). ` +
        `If that one is not the machine's:  pilotlight machines reject ${machine} --fingerprint ${approved.fingerprint}  ` +
        `and approve again`,
    )
  }
}

/** A machine that was ready boots again, and the site lets an operator decide. */
export class RebootHeld extends ServerError {
  readonly code = 'REBOOT_HELD'
  readonly statusCode = 503
  constructor(machine: string, boot: string) {
    super(
      `${machine} was ready in boot ${boot} and boots by firmware again; the site's reboot policy asks for an operator. ` +
        `If that is the machine:  pilotlight machines reopen ${machine}`,
    )
  }
}

/** A config that a machine asks for before DHCP is open: whose address it comes from is not known yet. */
export class StillStarting extends ServerError {
  readonly code = 'STILL_STARTING'
  readonly statusCode = 503
  constructor() {
    super('The server is starting, and does not know its leases yet. Ask again in a second.')
  }
}

/** No operator opened a machine within its site's deadline. 403, because Ignition stops then; it repeats what is answered 503. */
export class RebootTooLate extends ServerError {
  readonly code = 'REBOOT_TOO_LATE'
  readonly statusCode = 403
  constructor(machine: string, boot: string, minutes: number) {
    super(
      `${machine} was ready in boot ${boot} and boots by firmware again; no operator opened it within ${minutes} minutes, and its boot ` +
        `ends here. If that is the machine:  pilotlight machines reopen ${machine}  and switch it off and on.`,
    )
  }
}

/** No operator approved a key within the site's deadline. */
export class ApprovalTooLate extends ServerError {
  readonly code = 'APPROVAL_TOO_LATE'
  readonly statusCode = 403
  constructor(machine: string, minutes: number) {
    super(
      `No operator approved the key of ${machine} within ${minutes} minutes. Switch the machine off and on, and approve the key that ` +
        `it shows then:  pilotlight machines pending`,
    )
  }
}

/** An operator closes a machine that is not open. */
export class NotReopened extends ServerError {
  readonly code = 'NOT_REOPENED'
  readonly statusCode = 404
  constructor(machine: string) {
    super(
      `${machine} is not open: no one opened it, its time is over, or a boot had its bundle since. ` +
        `'pilotlight journal ${machine}' shows which.`,
    )
  }
}

/** The machine has no bundle on the server yet. */
export class NoBundle extends ServerError {
  readonly code = 'NO_BUNDLE'
  readonly statusCode = 503
  constructor(machine: string) {
    super(`There is no bundle for ${machine} yet. 'pilotlight up' puts it; ask again.`)
  }
}

/** A bundle needs a signer or a secret of its site that the server was not given. */
export class NoAuthority extends ServerError {
  readonly code = 'NO_AUTHORITY'
  readonly statusCode = 503
  constructor(site: string, what?: string) {
    super(
      `The server has no authority for site "${site}"${what === undefined ? '' : ` with the ${what}`}: it cannot sign. ` +
        `'pilotlight up' puts it; ask again.`,
    )
  }
}

/** A site's authority is another one than the server keeps for it: its certificates would all be replaced. */
export class OtherAuthority extends ServerError {
  readonly code = 'OTHER_AUTHORITY'
  readonly statusCode = 409
  /** @param kept,given fingerprints */
  constructor(site: string, kept: string, given: string) {
    super(
      `Site ${cleanLabel(site)} has the authority ${kept} here, and ${given} was given: every certificate of its machines would be replaced. ` +
        'Publish from the state directory of the first one, or ask for the replacement: ?replace=true.',
    )
  }
}

/** A key that is not a TPM's restricted signing key, or bytes that are not a key. */
export class UnfitTpmKey extends ServerError {
  readonly code = 'UNFIT_TPM_KEY'
  readonly statusCode = 400
  constructor(reason: string, options?: ErrorOptions) {
    super(
      `The attestation key of the machine's TPM is not accepted: ${reason}. It must be made as ` +
        'ignition/scripts/tpm does: a primary key of the endorsement hierarchy, P-256, restricted to signing.',
      options,
    )
  }
}

/** A quote that is not from the machine's TPM, or not for this boot. */
export class QuoteRefused extends ServerError {
  readonly code = 'QUOTE_REFUSED'
  readonly statusCode = 403
  constructor(reason: string) {
    super(
      `The quote of the machine's TPM is refused: ${reason}. Nothing was given out. Restart the machine; ` +
        'if it is refused again, something between the machine and this server answers in its place.',
    )
  }
}

/** An agent that reports again and again. */
export class TooManyReports extends ServerError {
  readonly code = 'TOO_MANY_REPORTS'
  readonly statusCode = 429
  constructor(boot: string, seconds: number) {
    super(`Boot ${boot} sent too many reports. Send the next in ${seconds} s.`)
  }
}

/** An address that shows one boot token after the other, none of them valid. */
export class TooManyTokens extends ServerError {
  readonly code = 'TOO_MANY_TOKENS'
  readonly statusCode = 429
  constructor(address: string, seconds: number) {
    super(`${address} showed too many tokens that are not good. Ask again in ${seconds} s.`)
  }
}
