// What each machine is given, and what it is not.

import t from 'tap'
import { parse } from 'yaml'
import { machineBundle } from '#cluster/bundle.ts'
import { ensurePki } from '#cluster/pki.ts'
import { machineNamed, smallSite } from '../small-site.ts'

const pki = await ensurePki(smallSite, t.testdir())
const controller = machineBundle(smallSite, pki, machineNamed(smallSite, 'ctl-1'))
const compute = machineBundle(smallSite, pki, machineNamed(smallSite, 'cmp-1'))
const textOf = (files: typeof compute, path: string) => files.find(file => file.path === path)?.content ?? ''

t.test('a compute machine gets its kubelet and nothing else', async t => {
  t.strictSame(
    compute.map(({ path, mode }) => `${mode.toString(8)} ${path}`),
    [
      '644 /etc/kubernetes/kubelet/ca.crt',
      '644 /etc/kubernetes/kubelet/serving.crt',
      '600 /etc/kubernetes/kubelet/serving.key',
      '600 /etc/kubernetes/kubelet/kubeconfig',
      '644 /etc/kubernetes/kubelet/config.yaml',
      '644 /etc/kubernetes/kubelet/kubelet.env',
    ],
  )
})

t.test('no machine gets a key that another one or an administrator uses', async t => {
  const allowed: Record<string, RegExp> = {
    'ctl-1':
      /^(etcd-(server|peer)|kubelet-(client|serving)|checkpointer)-ctl-1$|^apiserver|^front-proxy|^sched|^contr/,
    'cmp-1': /^kubelet-(client|serving)-cmp-1$/,
  }
  for (const [name, files] of [
    ['ctl-1', controller],
    ['cmp-1', compute],
  ] as const) {
    const text = files.map(file => file.content).join('\n')
    const held = (key: string) =>
      text.includes(key.trim()) || text.includes(Buffer.from(key).toString('base64'))
    for (const [leaf, { key }] of pki.leaves) {
      t.equal(held(key), allowed[name]?.test(leaf) ?? false, `${name} and the key of ${leaf}`)
    }
    t.notOk(held(pki.authorities['etcd-ca'].key), `${name} cannot sign etcd's clients`)
    t.notOk(held(pki.authorities['front-proxy-ca'].key), `${name} cannot sign front proxies`)
  }
})

t.test('every file with a private key or another secret is for root only', async t => {
  for (const { path, mode, content } of [...controller, ...compute]) {
    const secret = /PRIVATE KEY|client-key-data/.test(content) || content.includes(pki.encryptionKey)
    t.equal(mode, secret ? 0o600 : 0o644, path)
  }
})

t.test('the kubelet asks for certificates on both sides', async t => {
  const config: unknown = parse(textOf(compute, '/etc/kubernetes/kubelet/config.yaml'))
  t.match(config, {
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
    authorization: { mode: 'Webhook' },
    clusterDNS: ['10.3.0.10'],
    staticPodPath: '/etc/kubernetes/manifests',
  })
})

t.test('etcd begins as a cluster of the controllers, with certificates for clients and peers', async t => {
  const lines = textOf(controller, '/etc/etcd/etcd.env').split('\n')
  t.ok(lines.includes('ETCD_INITIAL_CLUSTER=ctl-1=https://10.20.0.11:2380'))
  t.ok(lines.includes('ETCD_CLIENT_CERT_AUTH=true'))
  t.ok(lines.includes('ETCD_PEER_CLIENT_CERT_AUTH=true'))
})

t.test('static copies refer to nothing that only an API could give', async t => {
  const copies = controller.filter(({ path }) => path.startsWith('/etc/kubernetes/checkpoint/'))
  t.equal(copies.length, 3)
  for (const { path, content } of copies) {
    t.notMatch(content, /serviceAccount|configMap|secretKeyRef|"secret"|persistentVolume|"ports"/, path)
    t.match(content, /"hostNetwork":true/, path)
  }
})

t.test('the same site and PKI give the same bundle', async t => {
  t.strictSame(machineBundle(smallSite, pki, machineNamed(smallSite, 'ctl-1')), controller)
})
