// Boots and what happens in them.

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
