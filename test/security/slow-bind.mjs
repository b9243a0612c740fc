// Loaded before a server (`node --import`): its UDP ports open SLOW_BIND_MS later than they would.
import { Socket } from 'node:dgram'

const bind = Socket.prototype.bind
Socket.prototype.bind = function (...given) {
  setTimeout(() => bind.apply(this, given), Number(process.env.SLOW_BIND_MS))
  return this
}
