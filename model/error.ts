// The one type of every error that reaches a person or a program. An error that the calling code always catches and says in
// its own terms (of a parser or a codec, say) extends `Error`. Anything else that is thrown is a bug, or of a library.

/** The code of an error. Each has a row or a paragraph in docs/errors.md, and an exit status in cli/exit.ts. */
export type ErrorCode = (typeof ERROR_CODES)[number]

/**
 * An error that Pilotlight gives on purpose: what failed and where, in a sentence for a person, and a code for programs.
 * The cause, where there is one, is kept apart from the message.
 */
export abstract class PilotlightError extends Error {
  abstract readonly code: ErrorCode
  /** What to do about it, in one line or several; left out where the message says it. */
  readonly remedy?: string

  constructor(message: string, { remedy, ...options }: ErrorOptions & { readonly remedy?: string } = {}) {
    super(message, options)
    if (remedy !== undefined) this.remedy = remedy
  }
}

/** An error that needs no separate class: no code catches it by its type, and it carries nothing but its texts. */
export class Failure extends PilotlightError {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, remedy: string, options: ErrorOptions = {}) {
    super(message, { ...options, remedy })
    this.code = code
  }
}

/** All codes: first those of the server, whose answers carry them (RFC 9457), then those of the commands. */
export const ERROR_CODES = [
  // of the server
  'INTERNAL',
  'ALARM_CLEARED',
  'AMBIGUOUS_KEY',
  'APPROVAL_TOO_LATE',
  'ASSET_IN_THE_WAY',
  'BAD_BACKUP',
  'BAD_REQUEST',
  'BAD_SETTINGS',
  'BODY_TOO_LARGE',
  'BROKEN_STATE',
  'CANNOT_LISTEN',
  'CANNOT_WRITE',
  'DIGEST_MISMATCH',
  'FOREIGN_HOST',
  'GO_TEMPLATE_FAILED',
  'INVALID_ASSET_NAME',
  'INVALID_BUTANE',
  'INVALID_CLOUD_CONFIG',
  'INVALID_IGNITION',
  'INVALID_OBJECT',
  'KEY_REFUSED',
  'METHOD_NOT_ALLOWED',
  'NEVER_BOOTED',
  'NEWER_STORE',
  'NOTHING_TO_BACK_UP',
  'NOTHING_TO_SERVE',
  'NOT_ALLOWED',
  'NOT_AUTHENTICATED',
  'NOT_DELIVERED',
  'NOT_FOUND',
  'NOT_REOPENED',
  'NO_AUTHORITY',
  'NO_BUNDLE',
  'NO_KEY_WAITS',
  'NO_MATCHING_GROUP',
  'NO_SPACE',
  'OTHER_AUTHORITY',
  'OTHER_KEY_APPROVED',
  'OWNED_BY_SITE',
  'PRECONDITION_FAILED',
  'PRECONDITION_REQUIRED',
  'QUOTE_REFUSED',
  'READ_ONLY_OBJECT',
  'REBOOT_HELD',
  'REBOOT_TOO_LATE',
  'SECRET_IN_CLEAR',
  'SERVER_ADDRESS_TAKEN',
  'SITE_CONFLICT',
  'STATE_IN_USE',
  'STATE_NOT_EMPTY',
  'STILL_STARTING',
  'TEMPLATE_FAILED',
  'TOKEN_ELSEWHERE',
  'TOKEN_EXPIRED',
  'TOKEN_IN_THE_WAY',
  'TOKEN_REPLAYED',
  'TOO_MANY_READS',
  'TOO_MANY_REPORTS',
  'TOO_MANY_TOKENS',
  'UNFIT_TPM_KEY',
  'UNKNOWN_PROFILE',
  'UNKNOWN_REVISION',
  'UNKNOWN_TEMPLATE',
  'UNKNOWN_TOKEN',
  'WRONG_ANSWER',

  // of commands
  'ASSETS_DAMAGED',
  'BAD_ACTIVATION',
  'BAD_ANSWER',
  'BAD_INPUT',
  'BAD_NAME',
  'BAD_OPTION',
  'BAD_SIGNATURE',
  'BUILD_FAILED',
  'CANNOT_MAKE_DIRECTORY',
  'CANNOT_SERVE_DHCP',
  'CANNOT_SERVE_TFTP',
  'CHARTS_FAILED',
  'CHARTS_LOCKED',
  'CHART_FILE',
  'CHART_LOCK',
  'CHART_NOT_FOUND',
  'CHART_PLAN',
  'CHECK_FAILED',
  'CLOUD_REFUSED',
  'CLUSTER_UNREACHABLE',
  'COMMAND_FAILED',
  'CONTAINERD_ENDED',
  'DOWNLOAD_FAILED',
  'EDITOR_FAILED',
  'FILE_PROBLEMS',
  'GUEST_SERVER_UNREACHABLE',
  'HOST_REFUSED',
  'IMAGES_NOT_BUILT',
  'IMAGES_VANISHED',
  'INTERRUPTED',
  'IN_THE_WAY',
  'KEYS_NOT_APPROVED',
  'KUBERNETES_REFUSED',
  'LAB_FAILED',
  'LOCKED',
  'MACHINE_FAILED',
  'MACHINE_OFF',
  'MALFORMED_KUBERNETES_VERSION',
  'MALFORMED_PACKET',
  'MALFORMED_TAR',
  'MODULES_NOT_LOCKED',
  'NEEDS_ROOT',
  'NEEDS_TERMINAL',
  'NODE_MISMATCH',
  'NOT_CHANGED',
  'NO_ANSWER',
  'NO_BOOT',
  'NO_HELM',
  'NO_MACHINE',
  'NO_SUCH_SERVICE',
  'NO_TOOL',
  'OTHER_SITE',
  'PARTLY_FAILED',
  'PKI_DAMAGED',
  'POWER_ON_FAILED',
  'PREFLIGHT_FAILED',
  'PREREQUISITES_MISSING',
  'PROMISE_BROKEN',
  'REFUSED',
  'REMOVAL_REFUSED',
  'SEALED',
  'SERVER_FAILED',
  'SERVER_UNREACHABLE',
  'SIGNATURE_MISSING',
  'UNFIT_AUTHORITY',
  'UNFIT_KUBECONFIG',
  'UNFIT_PATH',
  'UNKNOWN_MODULE',
  'UNKNOWN_RELEASE',
  'UP_ALREADY',
  'UP_FAILED',
  'VERIFICATION_FAILED',
  'VERIFICATION_RUNS',
  'WAITED_TOO_LONG',
  'WIRE_NOT_PRIVATE',
] as const
