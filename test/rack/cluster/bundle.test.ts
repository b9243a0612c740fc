// What each machine is given, and what it is not.

import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { parse } from 'yaml'
import { machineBundle, siteAuthority } from '#rack/cluster/bundle.ts'
import { machineNamed, smallSite } from '../../small-site.ts'
import { machineFiles, siteAuthorityOf, testPki } from '../../site-pki.ts'

const pki = await testPki(t.testdir())
const describe = (name: string) => machineBundle(smallSite, pki, machineNamed(smallSite, name))
const [controller, compute] = [describe('ctl-1'), describe('cmp-1')]
const textOf = (files: typeof compute.files, path: string) =>
  files.find(file => file.path === path)?.content ?? ''
const count = (text: string) => text.split('BEGIN CERTIFICATE').length - 1
const usages = (certificate: string) => new X509Certificate(certificate).keyUsage // by OID

t.test('a compute machine gets its kubelet and nothing else', async t => {
  t.strictSame(
    compute.files.map(({ path, mode }) => `${mode.toString(8)} ${path}`),
    [
      '644 /etc/kubernetes/kubelet/ca.crt',
      '644 /etc/kubernetes/kubelet/kubeconfig',
      '644 /etc/kubernetes/kubelet/config.yaml',
      '644 /etc/kubernetes/kubelet/kubelet.env',
    ],
  )
  t.strictSame(
    compute.requests.map(({ name, key, days }) => `${name} ${key} ${days}`),
    [
      'kubelet-client-cmp-1 /etc/kubernetes/kubelet/client.key 365',
      'kubelet-serving-cmp-1 /etc/kubernetes/kubelet/serving.key 365',
    ],
  )
  t.strictSame(compute.secrets, [])
})

t.test('a description has nothing secret in it, on any machine', async t => {
  const { signers, secrets } = siteAuthority(pki)
  const known = [
    ...Object.values(signers).map(({ key }) => key),
    ...Object.values(secrets),
    pki.encryptionKey,
  ]
  for (const { name } of smallSite.machines) {
    const text = JSON.stringify(describe(name))
    t.notMatch(text, 'PRIVATE KEY', name)
    for (const secret of known)
      t.notOk(text.includes(secret.trim()) || text.includes(Buffer.from(secret).toString('base64')), name)
  }
})

t.test('only a controller is given secrets: those that all controllers share', async t => {
  const shared = ['service-account.key', 'encryption.yaml', 'client-ca.crt', 'kubelet-ca.crt']
  const signers = ['kubelet-client-signer', 'kubelet-serving-signer'].flatMap(it => [
    `${it}.crt`,
    `${it}.key`,
  ])
  for (const machine of smallSite.machines) {
    const given = describe(machine.name).secrets.map(({ secret }) => secret)
    t.strictSame([...new Set(given)], machine.role === 'controller' ? [...shared, ...signers] : [])
  }
})

t.test('every file with a private key or another secret is for root only', async t => {
  for (const { name } of smallSite.machines) {
    for (const { path, mode, content } of await machineFiles(smallSite, pki, machineNamed(smallSite, name))) {
      const isSecret = /PRIVATE KEY/.test(content) || content.includes(pki.encryptionKey)
      if (isSecret) t.equal(mode, 0o600, path)
      else t.ok([0o600, 0o644].includes(mode), path)
    }
  }
})

t.test('the signers of kubelets are trusted for one purpose each', async t => {
  const files = await machineFiles(smallSite, pki, machineNamed(smallSite, 'ctl-1'))
  const at = (name: string) => textOf(files, `/etc/kubernetes/kube-apiserver/${name}`)
  const { kubelets } = await siteAuthorityOf(pki)
  const [client = '', server = ''] = [kubelets?.client.certificate, kubelets?.server.certificate]
  t.equal(at('client-ca.crt'), pki.authorities.ca.certificate + client)
  t.equal(at('kubelet-ca.crt'), pki.authorities.ca.certificate + server)
  for (const name of ['front-proxy-ca.crt', 'etcd-ca.crt', 'ca.crt']) t.equal(count(at(name)), 1, name)
  t.equal(
    count(textOf(compute.files, '/etc/kubernetes/kubelet/ca.crt')),
    1,
    'a kubelet trusts the root alone',
  )
  t.strictSame(usages(client), ['1.3.6.1.5.5.7.3.2'], 'clients only')
  t.strictSame(usages(server), ['1.3.6.1.5.5.7.3.1'], 'servers only')
})

t.test('the controller manager signs kubelet certificates and nothing else', async t => {
  const copy = textOf(controller.files, '/etc/kubernetes/checkpoint/kube-controller-manager.json')
  t.match(copy, '--cluster-signing-kubelet-client-key-file=')
  t.match(copy, '--cluster-signing-kubelet-serving-key-file=')
  t.notMatch(copy, /cluster-signing-(key|cert)-file|legacy-unknown|kube-apiserver-client-cert/)
})

t.test('the kubelet asks for certificates on both sides', async t => {
  const config: unknown = parse(textOf(compute.files, '/etc/kubernetes/kubelet/config.yaml'))
  t.match(config, {
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
    authorization: { mode: 'Webhook' },
    clusterDNS: ['10.3.0.10'],
    staticPodPath: '/etc/kubernetes/manifests',
  })
})

t.test('etcd begins as a cluster of the controllers, with certificates for clients and peers', async t => {
  const lines = textOf(controller.files, '/etc/etcd/etcd.env').split('\n')
  t.ok(lines.includes('ETCD_INITIAL_CLUSTER=ctl-1=https://10.20.0.11:2380'))
  t.ok(lines.includes('ETCD_CLIENT_CERT_AUTH=true'))
  t.ok(lines.includes('ETCD_PEER_CLIENT_CERT_AUTH=true'))
})

t.test('static copies refer to nothing that only an API could give', async t => {
  const copies = controller.files.filter(({ path }) => path.startsWith('/etc/kubernetes/checkpoint/'))
  t.equal(copies.length, 3)
  for (const { path, content } of copies) {
    t.notMatch(content, /serviceAccount|configMap|secretKeyRef|"secret"|persistentVolume|"ports"/, path)
    t.match(content, /"hostNetwork":true/, path)
  }
})

t.test('the same site and PKI give the same description', async t => {
  t.strictSame(describe('ctl-1'), controller)
})
