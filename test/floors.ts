// The floors of the server, from the lowest up: a room imports only rooms that come before it in this list. A room is a folder
// with all that is in it, or one file.

/** A floor: what its rooms have in common, and the rooms in their order. */
export type Floor = { readonly name: string; readonly rooms: readonly string[] }

/** All floors; rooms by their paths below `server/`. */
export const FLOORS: readonly Floor[] = [
  {
    name: 'ground: errors, the log, this process and its limits; they know nothing of machines',
    rooms: ['errors.ts', 'log.ts', 'exposition.ts', 'metrics.ts', 'process', 'limits'],
  },
  {
    name: 'formats: languages and rules; values in, values out',
    rooms: ['formats', 'signing', 'boot/match', 'alarms/transitions.ts'],
  },
  { name: 'kept: what is on disk', rooms: ['store', 'assets', 'state'] },
  {
    name: 'known: what is known of machines, wanted of them, and allowed',
    rooms: ['alarms', 'machines', 'inventory', 'agent', 'disks', 'access'],
  },
  {
    name: 'boot: from labels to what a machine is given',
    rooms: ['boot/render', 'boot/lint', 'boot/explain', 'boot'],
  },
  {
    name: 'protocols: they move bytes',
    rooms: [
      'flags.ts',
      'config.ts',
      'protocols/dhcp',
      'protocols/tftp',
      'protocols/rpc',
      'protocols/http/wire',
      'protocols/http/agent',
      'protocols/http/boot',
      'protocols/http/api',
      'protocols/http',
    ],
  },
  {
    name: 'main: opens the parts and ties them together',
    rooms: ['endpoints.ts', 'measure.ts', 'diagnosis', 'main.ts'],
  },
]

/** Rooms of all floors in their order. */
export const ROOMS: readonly string[] = FLOORS.flatMap(({ rooms }) => rooms)

/** The room of a file below `server/`: of those that hold it, the one with the longest path. */
export function roomOf(file: string): string | undefined {
  const holding = ROOMS.filter(room => file === `server/${room}` || file.startsWith(`server/${room}/`))
  return holding.toSorted((a, b) => b.length - a.length)[0]
}

/** Says whether an import between two rooms points up. */
export function pointsUp(from: string, to: string): boolean {
  return ROOMS.indexOf(to) > ROOMS.indexOf(from)
}
