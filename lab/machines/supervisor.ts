// The process that is a machine's power supply: it starts the machine, keeps its console, starts it over when it
// resets, and cleans up when it is off. SIGTERM is the power button. Started by lab.ts with the machine's folder.

import { rmSync } from 'node:fs'
import { removeContainer, startContainer } from './container.ts'
import { ConsoleLog } from './console.ts'
import type { Hardware, RunningMachine } from './hardware.ts'
import { startQemu } from './qemu.ts'
import { machineFiles, readLabState } from '../state.ts'

const [, , labDirectory = '', name = ''] = process.argv
const { rack } = readLabState(labDirectory)
const machine = rack.machines.find(machine => machine.name === name)
if (!machine) throw new Error(`No machine ${name} in ${labDirectory}.`)
const files = machineFiles(labDirectory, name)
const log = new ConsoleLog(files.console)
const hardware: Hardware = {
  rack,
  machine,
  directory: files.directory,
  guestFile: files.guest,
  console: bytes => log.write(bytes),
}

let running: RunningMachine | undefined
let off = false
process.on('SIGTERM', () => {
  off = true
  running?.pressPower()
})

try {
  for (;;) {
    log.say(`Power on: ${machine.name}, ${machine.driver}, ${machine.mac}`)
    rmSync(files.guest, { force: true })
    running = await (machine.driver === 'qemu' ? startQemu(hardware) : startContainer(hardware))
    if (off) running.pressPower() // the button was pressed while it started
    const ended = await running.ended
    if (machine.driver === 'container') await removeContainer(hardware)
    if (ended === 'off' || off) break
    log.say('Reset')
  }
} finally {
  rmSync(files.guest, { force: true })
  if (machine.driver === 'container') await removeContainer(hardware)
  log.say('Power off')
  log.close()
  rmSync(files.power, { force: true })
}
