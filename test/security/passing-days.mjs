// Loaded before a server (`node --import`): each SIGUSR2 has time pass for it, evenly on all its clocks: first a minute, then
// PASSING_DAYS days, one after the other. Timers of a minute and more go by this time; each step is a line on the standard
// error.
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const days = Number(process.env.PASSING_DAYS)
const { setTimeout: realTimeout, setInterval: realInterval, clearTimeout: realClear } = globalThis
const [wall, steady] = [Date.now, performance.now.bind(performance)]
let passedMs = 0
let signals = 0
const timers = new Map()

class LaterDate extends Date {
  constructor(...given) {
    if (given.length === 0) super(wall() + passedMs)
    else super(...given)
  }
  static now() {
    return wall() + passedMs
  }
}
globalThis.Date = LaterDate
performance.now = () => steady() + passedMs

const long = (real, repeats) =>
  Object.assign((run, ms, ...args) => {
    if (!(ms >= MINUTE_MS)) return real(run, ms, ...args)
    const timer = real(() => {}, 2 ** 31 - 1)
    timers.set(timer, { at: performance.now() + ms, ms, repeats, run: () => run(...args) })
    return timer
  }, real)
globalThis.setTimeout = long(realTimeout, false)
globalThis.setInterval = long(realInterval, true)
const clear = timer => {
  timers.delete(timer)
  realClear(timer)
}
globalThis.clearTimeout = clear
globalThis.clearInterval = clear

async function pass(ms) {
  passedMs += ms
  for (const [timer, own] of timers) {
    if (own.at > performance.now()) continue
    if (own.repeats) own.at += own.ms
    else clear(timer)
    own.run()
  }
  await new Promise(resolve => realTimeout(resolve, 50))
  console.error(`passed ${passedMs} ms`)
}

process.on('SIGUSR2', async () => {
  signals += 1
  if (signals === 1) return pass(MINUTE_MS)
  for (let day = 0; day < days; day += 1) await pass(DAY_MS)
})
