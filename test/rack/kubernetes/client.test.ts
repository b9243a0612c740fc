// The client against a scripted API: what is sent, what is made of the answers, and that nothing waits for ever. What a
// real API server makes of it is in test/rack/kubernetes/api-server.test.ts.

import t from 'tap'
import { connect, askReadiness } from '#rack/kubernetes/connect.ts'
import { breakOff, refuse, scriptApi, sendJson, type Answer, type Exchange } from './scripted-api.ts'

t.test('an object is sent as it is written, with fields that no model knows', async t => {
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'n', annotations: { at: '2026-11-30T00:00:00Z' } },
    spec: { fromTomorrow: { deep: [1, null] }, containers: [] },
  }
  const sent: unknown[] = []
  const api = await scriptApi(t, ({ body, answer }) => {
    sent.push(JSON.parse(body))
    sendJson(answer, 200, { ...manifest, status: { alsoUnknown: '2026-11-30T00:00:00Z' } })
  })
  const applied = await api.client.apply(manifest)
  t.strictSame(sent, [manifest])
  t.match(applied, { status: { alsoUnknown: '2026-11-30T00:00:00Z' } }, 'and read as it is')
  t.strictSame(api.asked, ['PATCH /api/v1/namespaces/n/pods/p?fieldManager=pilotlight&force=true'])
})

t.test('names keep their capitals, and no namespace is put where the kind has none', async t => {
  const api = await scriptApi(t, ({ answer }) => refuse(answer, 404, 'not found'))
  const key = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    name: 'a:Role',
    namespace: 'n',
  }
  t.equal(await api.client.read(Object.freeze(key)), undefined)
  await api.client.remove({ apiVersion: 'v1', kind: 'Pod', name: 'p' }, { graceSeconds: 0 })
  t.strictSame(api.asked, [
    'GET /apis/rbac.authorization.k8s.io/v1/clusterroles/a%3ARole',
    'DELETE /api/v1/namespaces/default/pods/p?gracePeriodSeconds=0',
  ])
})

t.test('a selection becomes selectors, and an empty list may be null', async t => {
  const answered = { items: null, metadata: { resourceVersion: '7' } }
  const api = await scriptApi(t, ({ answer }) => sendJson(answer, 200, answered))
  const of = { apiVersion: 'v1', kind: 'Pod', namespace: 'n', labels: 'owner=helm', fields: 'a=b,c=d' }
  t.strictSame(await api.client.list(of), { items: [], version: '7' })
  await api.client.list({ apiVersion: 'v1', kind: 'Pod' }, { isCached: true })
  t.strictSame(api.asked, [
    'GET /api/v1/namespaces/n/pods?labelSelector=owner%3Dhelm&fieldSelector=a%3Db%2Cc%3Dd',
    'GET /api/v1/pods?resourceVersion=0',
  ])
})

t.test('requests share one connection', async t => {
  const api = await scriptApi(t, ({ answer }) => sendJson(answer, 200, { metadata: { name: 'n' } }))
  const node = { apiVersion: 'v1', kind: 'Node', name: 'n' }
  await api.client.read(node)
  await Promise.all(Array.from({ length: 20 }, () => api.client.read(node)))
  t.equal(api.connections(), 1)
})

t.test('a refusal gives the status and the words of the server', async t => {
  const api = await scriptApi(t, ({ answer }) => refuse(answer, 403, 'nodes "n" is forbidden'))
  await t.rejects(api.client.read({ apiVersion: 'v1', kind: 'Node', name: 'n' }), {
    code: 'KUBERNETES_REFUSED',
    status: 403,
    message: 'Reading Node n: the Kubernetes API answered 403: nodes "n" is forbidden',
  })
  await t.rejects(api.client.read({ apiVersion: 'v1', kind: 'Sofa', name: 'n' }), {
    status: 404,
    message: /v1 has no such kind/,
  })
})

t.test('an API that says nothing is given up at the limit', async t => {
  const limits = { requestSeconds: 0.2, silenceSeconds: 5 }
  const api = await scriptApi(t, () => {}, limits)
  const began = performance.now()
  await t.rejects(api.client.read({ apiVersion: 'v1', kind: 'Node', name: 'n' }), {
    code: 'CLUSTER_UNREACHABLE',
    message: /does not answer: nothing for 0\.2 s/,
  })
  t.ok(performance.now() - began < 3000)
})

t.test('after silence the next request goes by another connection', async t => {
  const answers: ((answer: Answer) => void)[] = [
    () => {},
    answer => sendJson(answer, 200, { metadata: { name: 'n' } }),
  ]
  const script = ({ answer }: Exchange) => answers.shift()?.(answer)
  const api = await scriptApi(t, script, { requestSeconds: 0.3, silenceSeconds: 5 })
  const node = { apiVersion: 'v1', kind: 'Node', name: 'n' }
  await t.rejects(api.client.read(node), { code: 'CLUSTER_UNREACHABLE' })
  t.match(await api.client.read(node), { metadata: { name: 'n' } })
  t.equal(api.connections(), 2)
})

t.test('an answer that is cut off is an error', async t => {
  const api = await scriptApi(t, ({ answer }) => {
    answer.writeHead(200, { 'content-length': '100' }).write('{"metadata":')
    setTimeout(() => breakOff(answer), 20)
  })
  const key = { apiVersion: 'v1', kind: 'Node', name: 'n' }
  await t.rejects(api.client.read(key), { code: 'CLUSTER_UNREACHABLE' })
})

t.test('where nothing listens, the reason is the one of the connection', async t => {
  const api = await scriptApi(t, () => {})
  api.close()
  await t.rejects(askReadiness(api.client), {
    code: 'CLUSTER_UNREACHABLE',
    reason: /connect ECONNREFUSED 127\.0\.0\.1:\d+/,
  })
})

t.test('the caller ends a question, and gets back the reason', async t => {
  const api = await scriptApi(t, () => ended.abort(new Error('enough')))
  const ended = new AbortController()
  await t.rejects(askReadiness(api.client, ended.signal), { message: 'enough' })
})

t.test('readiness is in the words of the API, in short', async t => {
  const answers: [number, string][] = [
    [200, 'ok'],
    [500, '[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/a failed\n[-]b failed\n'],
    [401, 'Unauthorized'],
  ]
  const api = await scriptApi(t, ({ answer }) => {
    const [status, text] = answers.shift() ?? [0, '']
    answer.writeHead(status).end(text)
  })
  t.equal(await askReadiness(api.client), 'ok')
  t.equal(await askReadiness(api.client), 'not ready: etcd, poststarthook/a and 1 more')
  t.equal(await askReadiness(api.client), 'answers 401: Unauthorized')
})

t.test('a kubeconfig that leads nowhere is refused before anything is sent', async t => {
  await t.rejects(connect('clusters: []'), { code: 'UNFIT_KUBECONFIG', remedy: /pilotlight kubeconfig/ })
  await t.rejects(connect('{'), { code: 'UNFIT_KUBECONFIG' })
  await t.rejects(connect(''), { code: 'UNFIT_KUBECONFIG' })
})
