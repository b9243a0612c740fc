// What the API server refuses of pods and writes down of requests, asked of a real one with the product's flags and files.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { namespaceObject } from '#rack/charts/namespace.ts'
import { machineBundle } from '#rack/cluster/bundle.ts'
import { connect } from '#rack/kubernetes/connect.ts'
import { renderKubeconfig } from '#rack/cluster/kubeconfig.ts'
import { directories } from '#rack/cluster/layout.ts'
import { access } from '#rack/cluster/manifests/access.ts'
import { clusterManifests } from '#rack/cluster/manifests/all.ts'
import { components } from '#rack/cluster/manifests/components.ts'
import { staticPod } from '#rack/cluster/manifests/control-plane.ts'
import type { Manifest } from '#rack/kubernetes/objects.ts'
import { mintAdministrator } from '#rack/cluster/pki.ts'
import { makeLeaf, type KeyPair } from '#host/x509.ts'
import { waitUntil } from '#progress/wait.ts'
import { missingTools, startApiServer } from '../rack/cluster/api-server.ts'
import { testPki } from '../site-pki.ts'
import { machineNamed, smallSite } from '../small-site.ts'

t.setTimeout(120_000) // a busy machine takes its time

const SECRET_TEXT = 'a-text-that-is-nowhere-else'

t.test('what a real API server refuses and audits', { skip: missingTools() }, async t => {
  const root = t.testdir()
  const pki = await testPki(join(root, 'pki'))
  const api = await startApiServer(smallSite, pki, root)
  t.teardown(() => api.close())
  const as = async (pair: KeyPair) => {
    const opened = await connect(renderKubeconfig(api.server, pki.authorities.ca.certificate, 'client', pair))
    t.teardown(() => opened.close())
    return opened
  }
  const admin = await as(await mintAdministrator(pki.authorities.ca, 'break-glass'))
  const subject = { commonName: 'system:node:ctl-1', organization: 'system:nodes' }
  const node = { ...subject, purposes: ['client'], dns: [], addresses: [] } as const
  const [from, until] = [Date.now() - 60_000, Date.now() + 3600_000]
  const kubelet = await as(await makeLeaf(node, { notBefore: from, notAfter: until }, pki.authorities.ca))
  for (const manifest of access()) await admin.apply(manifest)
  await admin.apply(namespaceObject('openstack'))
  // What the controller manager would make.
  for (const namespace of ['default', 'kube-system', 'openstack']) {
    await admin.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } })
  }

  const nodePods = {
    "the machine's own network": { hostNetwork: true },
    "the machine's processes": { hostPID: true },
    "a directory of the machine's": { volumes: [{ name: 'host', hostPath: { path: '/' } }] },
    'every privilege': { container: { privileged: true } },
    'no filter of system calls': { container: { seccompProfile: { type: 'Unconfined' } } },
  }
  for (const [title, { container = {}, ...spec }] of Object.entries<NodePod>(nodePods)) {
    await t.test(`a pod with ${title} is refused where the namespace does not name it`, async t => {
      await t.rejects(admin.apply(pod('default', spec, container)), {
        status: 403,
        message: /PodSecurity "baseline/,
      })
      await t.resolves(admin.apply(pod('kube-system', spec, container)))
      await t.resolves(admin.apply(pod('openstack', spec, container)))
    })
  }

  await t.test('an ordinary pod is taken anywhere', async t => {
    await t.resolves(admin.apply(pod('default', {}, {})))
  })

  const log = () => auditLog(root)
  const written = (what: string, fits: (event: AuditEvent) => boolean) =>
    waitUntil(what, { limitSeconds: 5 }, async () => {
      const event = log().find(fits)
      return event === undefined ? { not: `${log().length} events` } : { value: event }
    })

  await t.test('who reads a secret is written down, and what it holds is not', async t => {
    const metadata = { name: 'audited', namespace: 'default' }
    await admin.apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { word: SECRET_TEXT } })
    await kubelet.read({ apiVersion: 'v1', kind: 'Secret', ...metadata }).catch(() => {})
    const { user, level } = await written('the write', ofSecret('patch'))
    t.match({ user, level }, { user: { username: 'pilotlight-break-glass' }, level: 'Metadata' })
    const read = await written('the refused read of a node', ofSecret('get'))
    t.match(read, { user: { username: 'system:node:ctl-1' }, responseStatus: { code: 403 } })
    t.notMatch(readFileSync(logFile(root), 'utf8'), SECRET_TEXT)
    t.notMatch(readFileSync(logFile(root), 'utf8'), Buffer.from(SECRET_TEXT).toString('base64'))
  })

  await t.test('a pod that is more than baseline is marked where the namespace lets it pass', async t => {
    const event = await written(
      'the mark',
      ({ verb, objectRef }) =>
        verb === 'patch' && objectRef?.namespace === 'openstack' && objectRef.resource === 'pods',
    )
    t.hasProp(event.annotations ?? {}, 'pod-security.kubernetes.io/audit-violations')
  })

  await t.test('a right that is given is written down in full', async t => {
    const event = await written(
      'the binding',
      ({ objectRef }) => objectRef?.name === 'pilotlight:apiserver-kubelet-client',
    )
    t.match(event, { level: 'Request', requestObject: { roleRef: { name: 'system:kubelet-api-admin' } } })
  })

  await t.test('heartbeats, health and the reads of the system are not, and nothing is twice', async t => {
    await kubelet.read({ apiVersion: 'v1', kind: 'Node', name: 'ctl-1' })
    const lease = { name: 'ctl-1', namespace: 'kube-node-lease' }
    await admin.apply({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: lease, spec: {} })
    await admin.read({ apiVersion: 'v1', kind: 'ConfigMap', name: 'marker', namespace: 'default' })
    await written('what was added later', ({ objectRef }) => objectRef?.name === 'marker')
    const events = log()
    t.strictSame(
      events.filter(({ stage }) => stage === 'RequestReceived'),
      [],
    )
    t.strictSame(
      events.filter(({ objectRef }) => objectRef?.resource === 'leases'),
      [],
    )
    t.strictSame(
      events.filter(({ requestURI }) => /^\/(livez|readyz|healthz)/.test(requestURI)),
      [],
    )
    t.strictSame(
      events.filter(it => it.user.username === 'system:node:ctl-1' && it.objectRef?.resource === 'nodes'),
      [],
    )
  })
})

t.test("the system's own pods have a filter of system calls, unless they are privileged", async t => {
  const static_ = components.map(component => staticPod(smallSite, component))
  const made = clusterManifests(smallSite).filter(({ kind }) => kind === 'DaemonSet' || kind === 'Deployment')
  const specs = [
    ...static_.map(it => [it.metadata.name, it['spec'] as PodSpec] as const),
    ...made.map(
      it => [it.metadata.name, (it['spec'] as { template: { spec: PodSpec } }).template.spec] as const,
    ),
  ]
  for (const [name, spec] of specs) {
    if (spec.containers.some(({ securityContext }) => securityContext.privileged)) {
      t.match(name, /^(flannel|kube-proxy)$/, 'who changes the network of the machine')
    } else t.equal(spec.securityContext?.seccompProfile.type, 'RuntimeDefault', name)
  }
})

t.test('a kubelet gives every pod that filter, and every machine has the same', async t => {
  const pki = await testPki(join(t.testdir(), 'pki'))
  for (const name of ['ctl-1', 'cmp-1']) {
    const { files } = machineBundle(smallSite, pki, machineNamed(smallSite, name))
    const file = files.find(({ path }) => path === `${directories.kubelet}/config.yaml`)
    t.match(parse(file?.content ?? ''), { seccompDefault: true })
  }
})

type NodePod = { readonly container?: object; readonly [field: string]: unknown }

type PodSpec = {
  readonly securityContext?: { readonly seccompProfile: { readonly type: string } }
  readonly containers: readonly { readonly securityContext: { readonly privileged?: boolean } }[]
}

/** Picks what was done to the Secret of the test. */
function ofSecret(verb: string): (event: AuditEvent) => boolean {
  return event =>
    event.verb === verb && event.objectRef?.resource === 'secrets' && event.objectRef.name === 'audited'
}

let pods = 0

function pod(namespace: string, spec: object, securityContext: object): Manifest {
  pods += 1
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `pod-${pods}`, namespace },
    spec: { containers: [{ name: 'it', image: 'none', securityContext }], ...spec },
  }
}

type AuditEvent = {
  readonly stage: string
  readonly level: string
  readonly verb: string
  readonly requestURI: string
  readonly user: { readonly username: string }
  readonly objectRef?: { readonly resource: string; readonly namespace?: string; readonly name?: string }
  readonly requestObject?: object
  readonly annotations?: Readonly<Record<string, string>>
  readonly responseStatus?: { readonly code: number }
}

function logFile(root: string): string {
  return join(root, 'var/log/kubernetes/audit-static.log')
}

function auditLog(root: string): AuditEvent[] {
  const lines = readFileSync(logFile(root), 'utf8').split('\n')
  return lines.slice(0, -1).map(line => JSON.parse(line) as AuditEvent)
}
