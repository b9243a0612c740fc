// How the command line ends: one table of exit statuses, and one from the code of an error to them.

import type { UpFailed } from '#lab/errors.ts'
import { PilotlightError, type ErrorCode } from '#model/error.ts'

/** The exit statuses, by the name that code uses. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  waitedTooLong: 5,
  unreachable: 6,
  partly: 7,
  differs: 8,
  interrupted: 130,
} as const

/** What each exit status means to a person; `pilotlight help exit-codes` prints it. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: 'all was done, or was done already',
  failed:
    'it failed on the way, and the same command may be run again once what the message names is fixed; or `lint` found errors',
  usage: 'the command line, a setting or the site file cannot be used as it is; nothing was started',
  notFound: 'what was named is not there: a machine, a group, a profile, a lab, a help topic',
  refused:
    'it contradicts what is there already, for example a lab of that name, or you may not; nothing was touched',
  waitedTooLong: 'a time limit passed; the message says what was seen last',
  unreachable: 'the Pilotlight server, or the cluster, did not answer',
  partly: 'it was done for some of the objects that were named, and not for others; the message lists those',
  differs: 'what is there differs from what the files say, and --exit-code was given',
  interrupted: 'interrupted by Ctrl-C or SIGTERM; run the same again to go on',
}

/** The exit status of each code of an error; all other codes end with `failed`. */
const STATUS_OF_CODE: Readonly<Partial<Record<ErrorCode, keyof typeof EXIT>>> = {
  // The command line, or a file that it names.
  BAD_BACKUP: 'usage',
  BAD_INPUT: 'usage',
  BAD_NAME: 'usage',
  BAD_OPTION: 'usage',
  CANNOT_MAKE_DIRECTORY: 'usage',
  CHART_FILE: 'usage',
  CHART_LOCK: 'usage',
  CHART_PLAN: 'usage',
  FILE_PROBLEMS: 'usage',
  INVALID_ASSET_NAME: 'usage',
  MALFORMED_KUBERNETES_VERSION: 'usage',
  NEEDS_TERMINAL: 'usage',
  NO_HELM: 'usage',
  SEALED: 'usage',
  UNFIT_AUTHORITY: 'usage',
  UNFIT_KUBECONFIG: 'usage',
  UNFIT_SIGNING_KEY: 'usage',
  WIRE_NOT_PRIVATE: 'usage',

  // Something that was named.
  CHART_NOT_FOUND: 'notFound',
  GO_TEMPLATE_FAILED: 'notFound', // a 404, as in Matchbox
  INVALID_BUTANE: 'notFound',
  INVALID_CLOUD_CONFIG: 'notFound',
  NEVER_BOOTED: 'notFound',
  NOTHING_TO_BACK_UP: 'notFound',
  NOTHING_TO_SERVE: 'notFound',
  NOT_FOUND: 'notFound',
  NOT_REOPENED: 'notFound',
  NOT_UNLOCKED: 'notFound',
  NO_KEY_WAITS: 'notFound',
  NO_MACHINE: 'notFound',
  NO_MATCHING_GROUP: 'notFound',
  NO_ORDER: 'notFound',
  NO_SLOT: 'notFound',
  UNKNOWN_PROFILE: 'notFound',
  UNKNOWN_RELEASE: 'notFound',
  UNKNOWN_REVISION: 'notFound',
  UNKNOWN_TEMPLATE: 'notFound',

  // What is there already, or who asks.
  ALARM_CLEARED: 'refused',
  AMBIGUOUS_KEY: 'refused',
  APPROVAL_TOO_LATE: 'refused',
  ASSET_IN_THE_WAY: 'refused',
  BREAKS_QUORUM: 'refused',
  CANNOT_BOOT: 'refused',
  CHARTS_LOCKED: 'refused',
  DISK_IN_USE: 'refused',
  DISK_KEY_REFUSED: 'refused',
  FOREIGN_HOST: 'refused',
  INSTALLED_ELSEWHERE: 'refused',
  IN_THE_WAY: 'refused',
  KEYS_NOT_APPROVED: 'refused',
  KEY_REFUSED: 'refused',
  LOCKED: 'refused',
  NEEDS_ROOT: 'refused',
  NOT_ALLOWED: 'refused',
  NOT_AUTHENTICATED: 'refused',
  NOT_CHANGED: 'refused',
  NOT_DELIVERED: 'refused',
  NOT_GOOD_YET: 'refused',
  NOT_INSTALLED: 'refused',
  NOT_WRITTEN: 'refused',
  NO_DISK: 'refused',
  ORDER_NOT_PROVEN: 'refused',
  OTHER_AUTHORITY: 'refused',
  OTHER_KEY_APPROVED: 'refused',
  OTHER_ORDER: 'refused',
  OTHER_SITE: 'refused',
  OWNED_BY_SITE: 'refused',
  PRECONDITION_FAILED: 'refused',
  PREFLIGHT_FAILED: 'refused',
  QUOTE_REFUSED: 'refused',
  READ_ONLY_OBJECT: 'refused',
  REBOOT_TOO_LATE: 'refused',
  REFUSED: 'refused',
  REMOVAL_REFUSED: 'refused',
  SECRET_IN_CLEAR: 'refused',
  SERVER_ADDRESS_TAKEN: 'refused',
  SITE_CONFLICT: 'refused',
  STATE_IN_USE: 'refused',
  STATE_MISSING: 'refused',
  STATE_NOT_EMPTY: 'refused',
  STATE_OF_ANOTHER_MACHINE: 'refused',
  TOKEN_ELSEWHERE: 'refused',
  TOKEN_EXPIRED: 'refused',
  TOKEN_IN_THE_WAY: 'refused',
  TOKEN_REPLAYED: 'refused',
  UNKNOWN_TOKEN: 'refused',
  UP_ALREADY: 'refused',
  VERIFICATION_RUNS: 'refused',
  WRONG_ANSWER: 'refused',
  TOO_MANY_DISKS: 'refused',
  WRONG_COUNT: 'refused',

  // Time, and who did not answer.
  BAD_ANSWER: 'unreachable',
  CLUSTER_UNREACHABLE: 'unreachable',
  GUEST_SERVER_UNREACHABLE: 'unreachable',
  INTERRUPTED: 'interrupted',
  PARTLY_FAILED: 'partly',
  SERVER_UNREACHABLE: 'unreachable',
  WAITED_TOO_LONG: 'waitedTooLong',
}

/** Lets the process end with a status, once its output is written. */
export function exitAs(status: number): void {
  process.exitCode = status
}

/** The exit status of an error. */
export function statusOf(error: unknown): number {
  if (error instanceof PilotlightError) {
    if (error.code === 'UP_FAILED') return (error as UpFailed).exitStatus // no other class has the code
    if (error.code === 'VERIFICATION_FAILED') return statusOf(error.cause) // of the check that failed
    return EXIT[STATUS_OF_CODE[error.code] ?? 'failed']
  }
  return error instanceof Error && error.name === 'AbortError' ? EXIT.interrupted : EXIT.failed
}
