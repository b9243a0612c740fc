import t from 'tap'
import { PHASES, phaseSchema } from '#model/phase.ts'
import { site, testServer } from '../../../serving.ts'

t.test('the table of phases is part of the API, which describes it', async t => {
  const server = await testServer(t)
  t.strictSame(await (await server.get('/v1/phases')).json(), PHASES)
  const { paths } = (await (await server.get('/v1/openapi.json')).json()) as { paths: Record<string, object> }
  const content = { 'application/json': { schema: { items: { required: phaseSchema.required } } } }
  t.match(paths['/v1/phases'], { get: { responses: { 200: { content } } } })
})

t.test('no keyword of JSON schema is described as a parameter', async t => {
  const server = await testServer(t)
  const { paths } = (await (await server.get('/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, { parameters?: { name: string; in: string }[] }>>
  }
  const found = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.values(verbs).flatMap(({ parameters = [] }) => parameters.map(({ name }) => `${path} ${name}`)),
  )
  t.strictSame(
    found.filter(it => / (type|properties|additionalProperties|required)$/.test(it)),
    [],
  )
  t.strictSame(
    found.filter(it => it.startsWith('/v1/explain ')),
    ['/v1/explain mac', '/v1/explain uuid', '/v1/explain all'],
  )
})

t.test('a machine, its journal and its events are found by any identifier, in any form', async t => {
  const server = await testServer(t)
  const [first, ...others] = site.machines
  const labels = { ...first!.labels, serial: 'CZ1234' } // the site has machines
  await server.put('/v1/sites/rack-1', { ...site, machines: [{ ...first, labels }, ...others] })
  await server.get('/ipxe?mac=52-54-00-20-00-01')
  for (const id of ['ctl-1', '52:54:00:20:00:01', '5254.0020.0001', 'CZ1234', '10.20.0.11']) {
    t.match(await (await server.get(`/machines/${id}`)).json(), { id: 'ctl-1', phase: 'script' }, id)
    t.match(await (await server.get(`/v1/machines/${id}/journal`)).text(), /^ctl-1 b-0001 /, id)
    const followed = await server.get(`/v1/events?machine=${encodeURIComponent(id)}`)
    t.match(await followed.json(), { events: [{ machine: 'ctl-1', kind: 'script' }] }, id)
  }
  for (const id of ['4c4c4544-0000-2010-8020-b4c04f303232', '{44454C4C-0000-1020-8020-B4C04F303232}'])
    t.match(await (await server.get(`/machines/${encodeURIComponent(id)}`)).json(), { id: 'cmp-1' }, id)
  for (const id of ['ctl-9', 'CZ9999', '10.20.0.99'])
    t.equal((await server.get(`/machines/${id}`)).status, 404, id)
})
