// Boots, their names, and what happens in them.

/** One thing that happened in one boot of one machine. */
export type BootEvent = {
  /** Grows by one an event, over all machines: the cursor of `GET /v1/events?after=`. */
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  /** The boot this belongs to, for example `b-1f3a`. */
  readonly boot: string
  readonly mac: string
  /** The inventory's name, when the machine is known. */
  readonly machine?: string
  readonly layer: 'dhcp' | 'tftp' | 'http' | 'os'
  /** `discover offer request ack nak read sent script kernel initrd rootfs config bundle booted ready failed ...` */
  readonly kind: string
  /** A sentence for a person. */
  readonly text: string
  readonly detail: Readonly<Record<string, string | number>>
}

// The names of boots: `b-001f` for the 31st that this server saw, in hexadecimal, four digits at least.

/** The name of a boot by its number. */
export function bootId(number: number): string {
  return `b-${number.toString(16).padStart(4, '0')}`
}

/** The number of a boot by its name. */
export function bootNumber(id: string): number {
  return Number.parseInt(id.slice(2), 16)
}

/** Says whether a boot began after another one: `b-0010` after `b-000f`. */
export function isLater(one: string, other: string): boolean {
  return bootNumber(one) > bootNumber(other)
}
