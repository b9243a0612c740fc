// The process that is a machine's power supply: it starts the machine, keeps its console, starts it over when it
// resets, and cleans up when it is off. SIGUSR2: there is a new order to read. SIGTERM is the power button, for a person.
// Started by lab/power.ts with the lab's folder, the machine's name, and the number of the order that it is started by.

import { rmSync } from 'node:fs'
import { markProcess } from '#host/process.ts'
import { tryLock } from '#host/lock.ts'
import { waitUntil } from '#progress/wait.ts'
import { removeContainer, startContainer } from './container.ts'
import { ConsoleLog } from './console.ts'
import type { Hardware } from './hardware.ts'
import { PowerSupply } from './power-supply.ts'
import { startQemu } from './qemu.ts'
import { GRACE_SECONDS } from '../power.ts'
import {
  machineFiles,
  readLabState,
  readState,
  writeState,
  type PowerOrder,
  type PowerState,
} from '../state.ts'

const [, , labDirectory = '', name = '', number = ''] = process.argv
const { rack } = readLabState(labDirectory)
const machine = rack.machines.find(machine => machine.name === name)
if (!machine) throw new Error(`No machine ${name} in ${labDirectory}.`)
const files = machineFiles(labDirectory, name)
const supervisor = markProcess(process.pid)
if (!supervisor) throw new Error('This process has no entry in /proc.')

// One supply a machine, also when a command that started one was killed before it heard of it.
const unlock = await waitUntil(
  'the machine has no other power supply',
  { limitSeconds: 5, everyMs: 20 },
  () => {
    const taken = tryLock(files.supplyLock)
    return Promise.resolve(
      typeof taken === 'function' ? { value: taken } : { not: `process ${taken.holder?.pid} is one` },
    )
  },
)

const lastOrder = () => readState(files.order) as PowerOrder | undefined
// Another order was given meanwhile, or another supply took this one: who gave it takes care of the machine.
const taken = (readState(files.power) as PowerState | undefined)?.order ?? -1
if (lastOrder()?.number !== Number(number) || taken >= Number(number)) {
  unlock()
  process.exit()
}

const log = new ConsoleLog(files.console)
const hardware: Hardware = {
  rack,
  machine,
  directory: files.directory,
  guestFile: files.guest,
  console: bytes => log.write(bytes),
}
const supply = new PowerSupply(Number(number), {
  start: async () => {
    log.say(`Power on: ${machine.name}, ${machine.driver}, ${machine.mac}`)
    rmSync(files.guest, { force: true })
    return machine.driver === 'qemu' ? startQemu(hardware) : startContainer(hardware)
  },
  clean: async () => {
    rmSync(files.guest, { force: true })
    if (machine.driver === 'container') await removeContainer(hardware)
  },
  keep: state => writeState(files.power, { supervisor, ...state }),
  say: line => log.say(line),
})
const read = () => {
  const order = lastOrder()
  if (order) supply.take(order)
}
process.on('SIGUSR2', read)
process.on('SIGTERM', () =>
  supply.take({
    number: (lastOrder()?.number ?? 0) + 0.5, // between two of the commands, which count in ones
    verb: 'off',
    hard: false,
    graceSeconds: GRACE_SECONDS,
  }),
)
try {
  const running = supply.run()
  read() // an order may have come before there was a handler
  await running
} finally {
  log.close()
  unlock()
}
