// Where services are, by the catalog, and what they say when they refuse.

import t from 'tap'
import { publicEndpoint, serviceTypes, type Catalog } from '#rack/openstack/catalog.ts'
import { CloudRefused, messageIn } from '#rack/openstack/errors.ts'

const endpoints = (url: string) => [
  { interface: 'internal', region_id: 'RegionOne', url: 'http://inside.svc:1' },
  { interface: 'public', region_id: 'RegionOne', url },
]
const catalog: Catalog = [
  { type: 'identity', endpoints: endpoints('http://10.20.0.11:30500/v3') },
  { type: 'image', endpoints: endpoints('http://10.20.0.11:30292') },
  { type: 'network', endpoints: endpoints('http://10.20.0.11:30696/v2.0/') },
  { type: 'compute', endpoints: endpoints('http://10.20.0.11:30774/v2.1') },
  { type: 'placement', endpoints: [{ interface: 'internal', url: 'http://placement-api:8778' }] },
]

t.test('a service is reached at its public endpoint, with the version of its API', async t => {
  t.equal(publicEndpoint(catalog, 'identity'), 'http://10.20.0.11:30500/v3')
  t.equal(publicEndpoint(catalog, 'compute'), 'http://10.20.0.11:30774/v2.1')
  t.equal(
    publicEndpoint(catalog, 'image'),
    'http://10.20.0.11:30292/v2',
    'added where the catalog leaves it out',
  )
  t.equal(publicEndpoint(catalog, 'network'), 'http://10.20.0.11:30696/v2.0', 'and not added twice')
})

t.test('a service without a public endpoint is as good as none', async t => {
  t.equal(publicEndpoint(catalog, 'placement'), undefined)
  t.equal(publicEndpoint(catalog, 'orchestration'), undefined)
  t.strictSame(serviceTypes(catalog), ['identity', 'image', 'network', 'compute', 'placement'])
})

t.test("each service's way of saying no is understood", async t => {
  for (const [said, words] of [
    ['{"NeutronError": {"type": "X", "message": "No such net", "detail": ""}}', 'No such net'],
    ['{"badRequest": {"code": 400, "message": "Bad name"}}', 'Bad name'],
    ['{"error": {"code": 401, "message": "Who are you", "title": "Unauthorized"}}', 'Who are you'],
    ['{"errors": [{"status": 400, "detail": "Bad resource"}]}', 'Bad resource'],
    ['<html>\n<p>503</p>', '<html> <p>503</p>'],
    ['', ''],
    ['null', 'null'],
  ] as const)
    t.equal(messageIn(said), words)
  const refused = new CloudRefused('compute', 'POST http://x/servers', 409, '{"c": {"message": "Taken"}}')
  t.match(refused, {
    service: 'compute',
    status: 409,
    message: 'compute: POST http://x/servers answers 409: Taken',
  })
})
