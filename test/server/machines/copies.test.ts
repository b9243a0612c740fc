import t from 'tap'
import { Copies, type Sighting } from '#server/machines/copies.ts'
import type { Occurrence } from '#server/machines/occurrences.ts'
import { controller } from '../../controller.ts'

function watch({ isElsewhere = false } = {}) {
  const world = { now: 0, boot: 'b-0001' as string | undefined, up: new Set<string>(), looks: 0, asked: 0 }
  const raised: Occurrence[] = []
  const copies = new Copies({
    runningBoot: () => {
      world.asked += 1
      return world.boot
    },
    isUp: async address => {
      world.looks += 1
      return world.up.has(address)
    },
    isElsewhere: () => isElsewhere,
    macOf: ({ macs }) => macs[0] ?? '',
    raise: alarm => void raised.push(alarm),
    clock: () => world.now,
  })
  const saw = async (as: Sighting['as'], from: string) => {
    copies.saw({ machine: controller, as, layer: 'http', from, text: `${from} says so` })
    await Promise.resolve().then(() => {}) // a look at an address
  }
  const alive = (boot: string, address: string) => copies.alive(controller, { boot, address })
  return { world, raised, copies, saw, alive }
}

t.test('raises an alarm once the address answers, one in ten minutes for each kind of sighting', async t => {
  const { world, raised, saw } = watch()
  await saw('uuid', '52:54:00:66:66:66')
  t.same(raised, [], 'nothing answers')
  world.up.add('10.20.0.11')
  await saw('uuid', '52:54:00:66:66:66')
  t.equal(world.looks, 1, 'its address is looked at once in ten seconds')
  world.now += 10_000
  for (let at = 0; at < 1000; at += 1) await saw('uuid', `02:00:00:00:00:${at % 90}`)
  t.match(raised, [{ kind: 'copied', machine: 'ctl-1', reason: 'uuid', boot: 'b-0001' }])
  await saw('request', '10.20.0.77')
  t.equal(raised.length, 2, 'another kind of sighting is another alarm')
  const asked = world.asked
  for (let at = 0; at < 1000; at += 1) await saw('uuid', '52:54:00:66:66:66')
  t.equal(world.asked, asked, 'and what is repeated asks the store nothing')
  world.now += 600_000
  await saw('uuid', '52:54:00:66:66:66')
  t.equal(raised.length, 3)
})

t.test(
  'a token of the boot that ran when it was seen confirms a sighting, one of a later boot does not',
  async t => {
    const { world, raised, saw, alive } = watch()
    await saw('mac', '52:54:00:20:00:01')
    world.boot = 'b-0002'
    alive('b-0002', '10.20.0.11')
    t.same(raised, [], 'it was the machine itself')
    await saw('mac', '52:54:00:20:00:01')
    alive('b-0002', '10.20.0.11')
    t.match(raised, [{ kind: 'copied', reason: 'mac', boot: 'b-0002' }])
    t.equal(world.looks, 0, 'an address that a rebooted machine has again says nothing')
  },
)

t.test(
  'a machine that started again from its disk was not a copy of itself, and one seen after that is',
  async t => {
    const { raised, copies, saw, alive } = watch()
    await saw('mac', '52:54:00:20:00:01')
    copies.rebooted(controller)
    alive('b-0001', '10.20.0.11')
    t.same(raised, [])
    await saw('mac', '52:54:00:20:00:01')
    alive('b-0001', '10.20.0.11')
    t.match(raised, [{ kind: 'copied', reason: 'mac' }])
  },
)

t.test('a machine that does not run, and its own address, are not copies', async t => {
  const { world, raised, saw } = watch()
  world.up.add('10.20.0.11')
  await saw('request', '10.20.0.11')
  world.boot = undefined
  await saw('uuid', '52:54:00:66:66:66')
  t.same([raised, world.looks], [[], 0])
})

t.test('where DHCP shows nothing, the address that uses its token is the machine’s', async t => {
  const { world, raised, saw, alive } = watch({ isElsewhere: true })
  await saw('request', '10.20.0.50')
  alive('b-0001', '10.20.0.50')
  t.same(raised, [], 'it asked for its own script, before a restart of the server')
  await saw('request', '10.20.0.50')
  t.same([raised, world.looks], [[], 0])
  world.up.add('10.20.0.50')
  await saw('request', '10.20.0.77')
  t.match(raised, [{ kind: 'copied', reason: 'request' }])
  alive('b-0001', '10.20.0.78')
  await Promise.resolve().then(() => {})
  t.match(raised[1], { reason: 'token', text: '10.20.0.78 uses the token of ctl-1, while' })
  world.up.clear()
  world.now += 600_000
  alive('b-0001', '10.20.0.79')
  await Promise.resolve().then(() => {})
  alive('b-0001', '10.20.0.79')
  t.equal(raised.length, 2, 'another DHCP server gave it another address')
})
