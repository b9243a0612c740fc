// The manifests, the identities and the bring-up against a real kube-apiserver and etcd with the product's flags.

import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t from 'tap'
import { bringUp } from '#rack/cluster/bringup.ts'
import { connect } from '#rack/kubernetes/connect.ts'
import type { KubernetesClient } from '#rack/kubernetes/client.ts'
import { adminKubeconfig, renderKubeconfig, writeKubeconfig } from '#rack/cluster/kubeconfig.ts'
import { administrators } from '#rack/cluster/manifests/access.ts'
import { clusterManifests } from '#rack/cluster/manifests/all.ts'
import { mintAdministrator, type Pki } from '#rack/cluster/pki.ts'
import { run, type CommandResult } from '#host/command.ts'
import { makeLeaf, type KeyPair } from '#host/x509.ts'
import { silentStage } from '#progress/stage.ts'
import { waitUntil } from '#progress/wait.ts'
import { absent } from '../../absent.ts'
import { findTool, missingTools, startApiServer, type ApiServer } from './api-server.ts'
import { makeRequest, siteAuthorityOf, testPki } from '../../site-pki.ts'
import { smallSite } from '../../small-site.ts'

const skip = missingTools()

t.test('a cluster on a real API server', { skip }, async t => {
  const root = t.testdir()
  const pki = await testPki(join(root, 'pki'))
  const api = await startApiServer(smallSite, pki, root)
  t.teardown(() => api.close())
  const client = async (pair: KeyPair) => {
    const opened = await connect(renderKubeconfig(api.server, pki.authorities.ca.certificate, 'client', pair))
    t.teardown(() => opened.close())
    return opened
  }
  const breakGlass = await client(await mintAdministrator(pki.authorities.ca, 'break-glass'))
  const admin = await connect(adminKubeconfig(pki, api.server))
  t.teardown(() => admin.close())

  await writeKubeconfig(join(root, 'kubeconfig'), pki, api.server)
  const kubectl: Kubectl = (args, input = '') =>
    run(findTool('kubectl') ?? 'kubectl', [`--kubeconfig=${join(root, 'kubeconfig')}`, ...args], {
      input,
      limitSeconds: 20,
    })

  await t.test('an administrator has no right before the binding, and every right after it', async t => {
    await t.rejects(admin.list({ apiVersion: 'v1', kind: 'Secret' }), {
      code: 'KUBERNETES_REFUSED',
      status: 403,
    })
    for (const manifest of administrators()) await breakGlass.apply(manifest)
    await waitUntil('the binding', { limitSeconds: 10 }, async () => ({
      value: await admin.list({ apiVersion: 'v1', kind: 'Secret' }),
    }))
  })

  await t.test('every manifest is applied, and applied again without a change', async t => {
    const versions = await applyAll(admin)
    t.strictSame(await applyAll(admin), versions)
  })

  await t.test('Service kubernetes leads to the controllers, and stays so', async t => {
    const namespace = 'default'
    t.match(await admin.read({ apiVersion: 'v1', kind: 'Service', name: 'kubernetes', namespace }), {
      spec: { clusterIP: '10.3.0.1' },
    })
    const kind = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' }
    const { items: slices } = await admin.list({ ...kind, namespace })
    t.match(slices, [{ endpoints: [{ addresses: ['10.20.0.11'] }], ports: [{ port: 6443 }] }])
    t.equal(slices.length, 1)
  })

  await t.test('no request is anonymous except for health', { skip: absent('curl') }, async t => {
    t.equal(await statusOf(`${api.server}/readyz`), '200')
    t.equal(await statusOf(`${api.server}/version`), '401')
    t.equal(await statusOf(`${api.server}/api/v1/namespaces`), '401')
  })

  await t.test('only clients of the right signers are let in', async t => {
    const node = {
      commonName: 'system:node:cmp-1',
      organization: 'system:nodes',
      dns: [],
      addresses: [],
    } as const
    const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 60_000 }
    const { authorities } = pki
    const { kubelets } = await siteAuthorityOf(pki)
    if (kubelets === undefined) throw new Error('no signers')
    const asked = async (signer: KeyPair, purposes: readonly ('client' | 'server')[]) => {
      const opened = await client(await makeLeaf({ ...node, purposes }, validity, signer))
      return opened.read({ apiVersion: 'v1', kind: 'Node', name: 'cmp-1' })
    }
    t.equal(await asked(kubelets.client, ['client']), undefined, 'a renewed kubelet: there is no node yet')
    const refused = { code: 'KUBERNETES_REFUSED', status: 401 }
    await t.rejects(asked(kubelets.server, ['server']), refused)
    await t.rejects(asked(kubelets.server, ['client']), refused, 'it may sign for servers alone')
    await t.rejects(asked(kubelets.client, ['server']), refused)
    await t.rejects(asked(authorities['etcd-ca'], ['client']), refused)
    await t.rejects(asked(authorities['front-proxy-ca'], ['client']), refused)
  })

  await t.test(
    'Secrets are encrypted in etcd',
    { skip: findTool('etcdctl') ? false : 'no etcdctl' },
    async t => {
      const metadata = { name: 'encrypted', namespace: 'default' }
      await admin.apply({ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { word: 'pssst' } })
      const stored = await inEtcd(api, root, '/registry/secrets/default/encrypted')
      t.match(stored, 'k8s:enc:secretbox:v1:key-1:')
      t.notMatch(stored, 'pssst')
    },
  )

  await t.test('a checkpointer reads the static copies and the two leases, and nothing else', async t => {
    const checkpointer = await client(await pairIn(join(root, 'etc/kubernetes/checkpointer/client')))
    const key = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system' }
    const kept = await checkpointer.read<{ data: Record<string, string> }>({
      ...key,
      name: 'pilotlight-checkpoint',
    })
    t.match(JSON.parse(kept?.data['kube-scheduler'] ?? ''), {
      kind: 'Pod',
      metadata: { name: 'kube-scheduler' },
    })
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace: 'kube-system' }
    t.equal(await checkpointer.read({ ...lease, name: 'kube-scheduler' }), undefined, 'asked, not refused')
    await t.rejects(checkpointer.read({ ...lease, name: 'another' }), { message: /403/ })
    await t.rejects(checkpointer.read({ ...key, name: 'kube-proxy' }), { message: /403/ })
    await t.rejects(checkpointer.list({ ...key, kind: 'Secret' }), { message: /403/ })
  })

  await t.test(
    'a serving certificate is approved for the name and address of the machine alone',
    { skip: absent('jq', 'curl') },
    async t => {
      const at = join(root, 'etc/kubernetes/kubelet')
      const identity = [`--client-certificate=${at}/client.crt`, `--client-key=${at}/client.key`]
      const asNode = [
        '--kubeconfig=',
        `--server=${api.server}`,
        `--certificate-authority=${at}/ca.crt`,
        ...identity,
      ]
      const ask = async (name: string, subject: string, san: string) => {
        const args = ['-subj', subject, '-addext', `subjectAltName=${san}`]
        const request = Buffer.from((await makeRequest(args)).csr).toString('base64')
        const usages = ['digital signature', 'server auth']
        const spec = { request, signerName: 'kubernetes.io/kubelet-serving', usages }
        const kind = 'CertificateSigningRequest'
        const object = { apiVersion: 'certificates.k8s.io/v1', kind, metadata: { name }, spec }
        await run(findTool('kubectl') ?? 'kubectl', [...asNode, 'create', '--filename=-'], {
          input: JSON.stringify(object),
          limitSeconds: 20,
        })
      }
      const [own, other] = ['/O=system:nodes/CN=system:node:ctl-1', '/O=system:nodes/CN=system:node:cmp-1']
      await ask('right', own, 'DNS:ctl-1,IP:10.20.0.11')
      await ask('address-of-another', own, 'DNS:ctl-1,IP:10.20.0.12')
      await ask('name-of-the-api', own, 'DNS:ctl-1,DNS:kubernetes,IP:10.20.0.11')
      await ask('no-address', own, 'DNS:ctl-1')
      await t.rejects(ask('subject-of-another', other, 'DNS:ctl-1,IP:10.20.0.11'), {
        message: /can only create a node CSR/,
      })
      const { stdout } = await approveKubelets(root, api.server)
      t.match(stdout, 'approved the serving certificate of ctl-1')
      t.match(stdout, /not approved: it is not for ctl-1 at 10\.20\.0\.11 \(name-of-the-api\)/)
      type Request = { metadata: { name: string }; status?: { conditions?: { type: string }[] } }
      const kind = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest' }
      const { items: requests } = await admin.list<Request>(kind)
      const approved = requests.filter(({ status }) =>
        status?.conditions?.some(({ type }) => type === 'Approved'),
      )
      t.strictSame(
        approved.map(({ metadata }) => metadata.name),
        ['right'],
      )
    },
  )

  await t.test('an invalid object is refused in the words of the server', async t => {
    const metadata = { name: 'bad', namespace: 'default' }
    await t.rejects(admin.apply({ apiVersion: 'v1', kind: 'Service', metadata, spec: { colour: 'red' } }), {
      code: 'KUBERNETES_REFUSED',
      message: /Applying Service bad: .*colour/,
    })
  })

  await t.test('the bring-up labels registered nodes, and refuses one at another address', async t => {
    await register(kubectl, 'ctl-1', '10.20.0.11')
    await register(kubectl, 'cmp-1', '10.20.0.66')
    const options = { ...bringUpOf(pki, api, root), stage: silentStage }
    await t.rejects(bringUp(options), { code: 'NODE_MISMATCH', message: /10\.20\.0\.66.*10\.20\.0\.12/ })
    const key = { apiVersion: 'v1', kind: 'Node' }
    t.match(await admin.read({ ...key, name: 'ctl-1' }), {
      metadata: { labels: { 'openstack-control-plane': 'enabled' } },
    })
    const other = await admin.read<{ metadata: { labels?: object } }>({ ...key, name: 'cmp-1' })
    t.notHas(other?.metadata.labels ?? {}, { 'openstack-compute-node': 'enabled' })
  })

  await t.test('run again it goes on, and ends on request', async t => {
    await register(kubectl, 'cmp-1', '10.20.0.12')
    const interruption = new AbortController()
    const running = bringUp({ ...bringUpOf(pki, api, root), stage: silentStage, signal: interruption.signal })
    await waitUntil('the label', { limitSeconds: 20 }, async () => {
      const labels = (await admin.text('/api/v1/nodes/cmp-1')).text
      return labels.includes('openstack-compute-node') ? { value: true } : { not: 'not labelled' }
    })
    interruption.abort(new Error('enough'))
    await t.rejects(running, { message: 'enough' })
  })
})

/** What a machine has: the certificate that it was given, and the key that it made. */
async function pairIn(path: string): Promise<KeyPair> {
  return { certificate: await readFile(`${path}.crt`, 'utf8'), key: await readFile(`${path}.key`, 'utf8') }
}

/** Runs the checkpointer's look at signing requests once, with its own identity. */
async function approveKubelets(root: string, server: string): Promise<CommandResult> {
  const script = await readFile(join(import.meta.dirname, '../../../ignition/scripts/checkpoint'), 'utf8')
  const kubeconfig = join(root, 'etc/kubernetes/checkpointer/kubeconfig')
  const text = await readFile(kubeconfig, 'utf8')
  await writeFile(kubeconfig, text.replace(/https:\S+/, server).replaceAll(' /etc/', ` ${root}/etc/`))
  const once = script.replaceAll('/etc/', `${root}/etc/`).replace(/\nmain\n$/, '\napprove_kubelets\n')
  const env = { ...process.env, PATH: `${dirname(findTool('kubectl') ?? '')}:${process.env['PATH']}` }
  return run('bash', ['-c', once], { limitSeconds: 60, env })
}

/** Applies every manifest, and gives the version of each object. */
async function applyAll(admin: KubernetesClient): Promise<Record<string, unknown>> {
  const versions: Record<string, unknown> = {}
  for (const manifest of clusterManifests(smallSite)) {
    const applied = await admin.apply(manifest)
    versions[`${manifest.kind} ${manifest.metadata.name}`] = (
      applied.metadata as { resourceVersion?: string }
    ).resourceVersion
  }
  return versions
}

/** The status that someone without any certificate gets. */
async function statusOf(url: string): Promise<string> {
  const args = ['--silent', '--insecure', '--output', '/dev/null', '--write-out', '%{http_code}', url]
  return (await run('curl', args, { limitSeconds: 10 })).stdout
}

type Kubectl = (args: readonly string[], input?: string) => Promise<CommandResult>

function bringUpOf(pki: Pki, api: ApiServer, root: string) {
  return { site: smallSite, pki, server: api.server, kubeconfigPath: join(root, 'kubeconfig') }
}

/** What a kubelet does first: its node, with its address in the status. */
async function register(kubectl: Kubectl, name: string, address: string): Promise<void> {
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name } }
  const status = { addresses: [{ type: 'InternalIP', address }] }
  await kubectl(['apply', '--filename=-'], JSON.stringify(node))
  await kubectl([
    'patch',
    'node',
    name,
    '--subresource=status',
    '--type=merge',
    `--patch=${JSON.stringify({ status })}`,
  ])
}

async function inEtcd(api: ApiServer, root: string, key: string): Promise<string> {
  const at = join(root, 'etc/kubernetes/kube-apiserver')
  const tls = [`--cacert=${at}/etcd-ca.crt`, `--cert=${at}/etcd-client.crt`, `--key=${at}/etcd-client.key`]
  const args = [...tls, `--endpoints=${api.etcd}`, 'get', key, '--print-value-only']
  return (await run(findTool('etcdctl') ?? 'etcdctl', args, { limitSeconds: 10 })).stdout
}
