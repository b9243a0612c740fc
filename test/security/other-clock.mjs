// Loaded before a server (`node --import`): its wall clock is off by OTHER_CLOCK_MS, and by so much more at each SIGUSR2.
const now = Date.now
const step = Number(process.env.OTHER_CLOCK_MS)
let off = step
class OtherDate extends Date {
  constructor(...given) {
    if (given.length === 0) super(now() + off)
    else super(...given)
  }
  static now() {
    return now() + off
  }
}
globalThis.Date = OtherDate
process.on('SIGUSR2', () => {
  off += step
})
