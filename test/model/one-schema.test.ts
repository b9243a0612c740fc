// Each kind of object is described once, in model/: whatever else knows its fields is compared with that.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { alarmSchema } from '#model/alarm.ts'
import { auditSchema } from '#model/audit.ts'
import { bootSchema, eventSchema } from '#model/boot.ts'
import { leaseSchema } from '#model/lease.ts'
import { accessRoleSchema } from '#model/role.ts'
import { phaseSchema } from '#model/phase.ts'
import { shownSchema } from '#model/time.ts'
import { fieldsOf, type Field } from '#model/fields.ts'
import { KINDS, SCHEMAS } from '#model/kinds.ts'
import type { Schema } from '#model/schema.ts'
import { checkObject } from '#server/inventory/object-check.ts'
import { parseGroup, parseProfile } from '#server/inventory/matchbox-files.ts'
import { fileTextOf } from '#server/inventory/matchbox-text.ts'
import { lintDirectory } from '#server/boot/lint/directory.ts'
import { groupOf, profileOf, wireGroup, wireProfile } from '#server/protocols/rpc/wire.ts'
import { testServer } from '../server/serving.ts'

/** Objects in which every field of the schema has a value. */
const WHOLE = {
  group: {
    id: 'rack-a',
    name: 'Rack A',
    profile: 'live',
    selector: { rack: 'a' },
    metadata: { answer: 42 },
    priority: 7,
  },
  profile: {
    id: 'live',
    name: 'Live system',
    ignition_id: 'node.ign',
    cloud_id: 'cloud.yaml',
    boot: { kernel: '/assets/kernel', initrd: ['/assets/initrd'], args: ['quiet'] },
    generic_id: 'generic.txt',
  },
  template: { id: 'ignition/node.ign', content: '{"ignition":{"version":"3.4.0"}}' },
  machine: {
    name: 'ctl-1',
    macs: ['52:54:00:20:00:01'],
    uuid: '3f6f2a54-6d3a-4b7c-9d2e-0a1b2c3d4e5f',
    role: 'controller',
    address: '10.20.0.11',
    tpm: `SHA256:${'a'.repeat(64)}`,
    firmware: `SHA256:${'b'.repeat(64)}`,
    labels: { rack: 'a' },
    notes: 'its second disk is slow',
    hardware: 'vm',
    disk: {
      match: { model: 'Samsung SSD*', type: 'nvme', minSize: 100_000_000_000 },
      explicit: true,
      mirror: true,
      encrypt: 'tpm',
      overwrite: false,
    },
    trust: {
      level: 'L2',
      approve: { racks: ['a'], ports: ['p'], serials: ['s'] },
      reboot: 'auto',
      deadlineMinutes: 5,
    },
  },
} as const

t.test('the objects of this test have every field of their kind', async t => {
  for (const kind of KINDS) {
    const fields = fieldsOf(SCHEMAS[kind])
    t.strictSame(missing(fields, WHOLE[kind]), [], kind)
  }
})

t.test('the check takes every field, and no other', async t => {
  for (const kind of KINDS) {
    const { good, faults } = checkObject(kind, WHOLE[kind])
    t.strictSame(faults, [], kind)
    t.strictSame(good?.object, WHOLE[kind])
    t.match(checkObject(kind, { ...WHOLE[kind], colour: 'red' }).faults, [{ pointer: '/colour' }])
  }
})

t.test("the API's description has the same fields", async t => {
  const { url } = await testServer(t)
  const { paths } = (await (await fetch(`${url}/v1/openapi.json`)).json()) as OpenApi
  for (const kind of KINDS) {
    const body = paths[`/v1/${kind}s/{id}`]?.put?.requestBody?.content['application/json']?.schema
    if (kind === 'template') continue // its route takes the text itself
    t.strictSame(fieldsOf(body as Schema), fieldsOf(SCHEMAS[kind]), kind)
  }
  const site = paths['/v1/sites/{name}']?.put?.requestBody?.content['application/json']?.schema
  for (const kind of ['group', 'profile', 'machine'] as const) {
    const { items } = site?.properties?.[`${kind}s`] ?? {}
    t.strictSame(fieldsOf(items as Schema), fieldsOf(SCHEMAS[kind]), `${kind} of a site`)
  }
})

t.test('a file holds every field, and is read back as it was', async t => {
  const group = fileTextOf({ kind: 'group', object: WHOLE.group })
  t.strictSame(parseGroup(group), WHOLE.group)
  t.strictSame(
    Object.keys(JSON.parse(group)),
    Object.keys(SCHEMAS.group.properties),
    'in the order of the schema',
  )
  const profile = fileTextOf({ kind: 'profile', object: WHOLE.profile })
  t.strictSame(parseProfile(profile), WHOLE.profile)
  const machine = fileTextOf({ kind: 'machine', object: WHOLE.machine })
  t.strictSame(checkObject('machine', JSON.parse(machine)).good?.object, WHOLE.machine)
})

t.test('lint knows every field', async t => {
  const folder = t.testdir({})
  for (const kind of KINDS) {
    const file = join(folder, kind === 'template' ? WHOLE.template.id : `${kind}s/it.json`)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, fileTextOf({ kind, object: WHOLE[kind] } as Parameters<typeof fileTextOf>[0]))
  }
  const found = lintDirectory(folder).filter(({ code }) => code === 'PL-2002' || code === 'PL-2003')
  t.strictSame(found, [])
})

t.test('gRPC carries every field that Matchbox has', async t => {
  const { priority: _, ...group } = WHOLE.group
  t.strictSame(groupOf(wireGroup(WHOLE.group)), group)
  t.strictSame(profileOf(wireProfile(WHOLE.profile)), WHOLE.profile)
  t.strictSame(
    fieldsOf(SCHEMAS.group).flatMap(({ name, isOurs }) => (isOurs ? [name] : [])),
    ['priority'],
  )
})

t.test(
  "alarms, audit entries, leases and roles are described by their schemas, and no other list's items",
  async t => {
    const { url } = await testServer(t)
    const { paths } = (await (await fetch(`${url}/v1/openapi.json`)).json()) as OpenApi
    const lists = { alarms: alarmSchema, audit: auditSchema, leases: leaseSchema, roles: accessRoleSchema }
    for (const [name, schema] of Object.entries(lists)) {
      const { items } =
        paths[`/v1/${name}`]?.get?.responses['200']?.content['application/json']?.schema?.properties ?? {}
      t.strictSame(fieldsOf(items?.items as Schema), fieldsOf(shownSchema(schema)), name)
    }
  },
)

t.test('boots, their events and phases are described by their schemas', async t => {
  const { url } = await testServer(t)
  const { paths } = (await (await fetch(`${url}/v1/openapi.json`)).json()) as OpenApi
  const answerOf = (path: string) =>
    paths[`/v1/${path}`]?.get?.responses['200']?.content['application/json']?.schema
  const rows: [string, Schema | undefined, Schema][] = [
    ['events', answerOf('events')?.properties?.events, eventSchema],
    ['journal', answerOf('machines/{name}/journal')?.properties?.events, eventSchema],
    ['boots', answerOf('machines/{name}/boots'), bootSchema],
    ['phases', answerOf('phases'), phaseSchema],
  ]
  for (const [name, list, schema] of rows) t.strictSame(fieldsOf(list?.items ?? {}), fieldsOf(schema), name)
})

t.test('events and boots have the fields of their schemas, and no others', async t => {
  const server = await testServer(t)
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  const path = `/v1/machines/${encodeURIComponent('52:54:00:20:00:01')}`
  const json = async (at: string): Promise<unknown> =>
    (await server.get(at, { accept: 'application/json' })).json()
  const { events } = (await json('/v1/events')) as { events: object[] }
  const journal = (await json(`${path}/journal`)) as { events: object[] }
  const boots = (await json(`${path}/boots`)) as object[]
  t.strictSame(journal.events, events)
  t.strictSame(
    events.map(it => Object.keys(it).toSorted()),
    [keysOfStranger(eventSchema).toSorted()],
  )
  t.strictSame(
    boots.map(it => Object.keys(it).toSorted()),
    [keysOfStranger(bootSchema).toSorted()],
  )
})

type OpenApi = {
  readonly paths: Readonly<
    Record<
      string,
      {
        put?: { requestBody?: { content: Record<string, { schema?: Schema }> } }
        get?: { responses: Record<string, { content: Record<string, { schema?: Schema }> }> }
      }
    >
  >
}

/** The fields of an event or a boot of a machine that is not declared. */
function keysOfStranger(schema: Schema): string[] {
  return fieldsOf(schema).flatMap(({ name }) => (name === 'machine' ? [] : [name]))
}

/** The fields that an object does not have. */
function missing(fields: readonly Field[], object: object, above = ''): string[] {
  return fields.flatMap(({ name, fields: inner }) => {
    const value = (object as Record<string, unknown>)[name]
    if (value === undefined) return [above + name]
    return missing(inner, value as object, `${above}${name}.`)
  })
}
