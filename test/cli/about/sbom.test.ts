// The bill of materials: by the rules of CycloneDX's schema that matter, and by what is installed and built.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { productPart } from '#cli/about/sbom.ts'
import { billOf, debianPurl, goPurl, npmPurl, type Bill, type Component } from '#host/cyclonedx.ts'
import { findImages } from '#images/build.ts'
import { debianParts, goParts } from '#images/contents.ts'
import { pilotlight } from '../pilotlight.ts'

const ROOT = join(import.meta.dirname, '../../..')
const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8')
const manifest = readFileSync(join(ROOT, 'package.json'), 'utf8')

t.test('the product has every package that production installs, with its hash', async t => {
  const product = productPart(manifest, lock)
  const names = product.parts?.map(({ name }) => name) ?? []
  const { dependencies } = JSON.parse(manifest) as { readonly dependencies: Readonly<Record<string, string>> }
  for (const name of Object.keys(dependencies)) t.ok(names.includes(name), name)
  t.notOk(names.includes('tap'), 'nothing for development')
  t.strictSame(
    product.parts?.filter(({ sha512 }) => sha512 === undefined),
    [],
  )
  t.match(
    product.parts?.find(({ name }) => name === '@grpc/grpc-js'),
    { version: '1.14.7', purl: 'pkg:npm/%40grpc/grpc-js@1.14.7', license: 'Apache-2.0' },
  )
})

t.test('package URLs escape what is not theirs', async t => {
  t.equal(npmPurl('@a/b', '1.0.0'), 'pkg:npm/%40a/b@1.0.0')
  t.equal(goPurl('github.com/a/b', 'v2.0.0+incompatible'), 'pkg:golang/github.com/a/b@v2.0.0%2Bincompatible')
  t.equal(
    debianPurl('libstdc++6', '1:12.2.0-14+deb12u1', 'amd64'),
    'pkg:deb/debian/libstdc%2B%2B6@1%3A12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12',
  )
})

t.test("dpkg's list gives the packages whose files are there", async t => {
  const status = [
    'Package: age\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.1.1-1\nDescription: simple\n .',
    'Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n',
    'Package: libc6\nStatus: install ok unpacked\nArchitecture: amd64\nSource: glibc\nVersion: 2.36-9\n',
  ].join('\n\n')
  t.match(debianParts(status), [
    { name: 'age', version: '1.1.1-1' },
    { name: 'libc6', properties: { 'pilotlight:debian:source': 'glibc' } },
  ])
  t.equal(debianParts(status).length, 2)
})

t.test('a program has its modules, a replaced one as what it was replaced by, and its compiler', async t => {
  const text = [
    '/cache/kubernetes/kubelet: go1.26.8',
    '\tpath\tk8s.io/kubernetes/cmd/kubelet',
    '\tmod\tk8s.io/kubernetes\tv1.36.3\th1:a=',
    '\tdep\tk8s.io/api\tv0.0.0',
    '\t=>\tk8s.io/api\tv0.36.3\th1:b=',
    '\tbuild\tCGO_ENABLED=0',
    '/cache/flannel/flanneld: go1.26.8',
    '\tpath\tpilotlight.local/flannel',
    '\tmod\tpilotlight.local/flannel\t(devel)',
    '\tdep\tgithub.com/flannel-io/flannel\tv0.28.4\th1:c=',
    '',
  ].join('\n')
  const versions = goParts(text).map(({ name, version, parts }) => [
    `${name} ${version}`,
    parts?.map(part => part.purl),
  ])
  t.strictSame(versions, [
    [
      'kubelet v1.36.3',
      ['pkg:golang/stdlib@1.26.8', 'pkg:golang/k8s.io/kubernetes@v1.36.3', 'pkg:golang/k8s.io/api@v0.36.3'],
    ],
    ['flanneld 1.26.8', ['pkg:golang/stdlib@1.26.8', 'pkg:golang/github.com/flannel-io/flannel@v0.28.4']],
  ])
})

t.test('the serial number follows from what is in the bill, not from when it was made', async t => {
  const product = productPart(manifest, lock)
  const [first, later] = [billOf(product, new Date(0)), billOf(product, new Date(1))]
  t.equal(first.serialNumber, later.serialNumber)
  t.not(first.serialNumber, billOf({ ...product, parts: [] }, new Date(0)).serialNumber)
})

t.test('the command writes a valid document of the product alone', async t => {
  const { status, out } = await pilotlight(['sbom', '--no-images'])
  t.equal(status, 0)
  isValid(t, JSON.parse(out) as Bill)
})

const skip = (await findImages()) === undefined ? 'needs built images: pilotlight images build' : false
t.test('the document with the images is valid, and has what each image is made of', { skip }, async t => {
  const file = join(t.testdir(), 'bill.json')
  t.match(await pilotlight(['sbom', '--output', file]), { status: 0 })
  const bill = JSON.parse(readFileSync(file, 'utf8')) as Bill
  isValid(t, bill)
  const inside = (name: string) => {
    const found = bill.components.find(component => component.name === name && component.components)
    return new Map(found?.components?.map(component => [component.name, component]))
  }
  const live = inside('live system')
  for (const name of ['systemd', 'age', 'kubelet', 'containerd', 'runc', 'ignition'])
    t.ok(live.has(name), name)
  t.ok(
    live
      .get('kubelet')
      ?.components?.some(({ name, version }) => name === 'k8s.io/api' && version === 'v0.36.3'),
  )
  t.strictSame([...inside('kube-apiserver').keys()], ['kube-apiserver'])
  t.ok(inside('flannel').has('nftables') && inside('flannel').has('flanneld'))
  t.ok(inside('openstack-control').has('keystone'))
  t.notOk(inside('openstack-control').has('nodejs'), 'what the layer leaves out is not listed')
  t.ok(inside('openstack-compute').has('nova-compute') && inside('openstack-compute').has('keystone'))
  t.strictSame(
    [...inside('verification guest').keys()].map(name => name.replace(/-\d.*-cloud/, '-N-cloud')).toSorted(),
    ['busybox-static', 'linux-image-N-cloud-amd64', 'linux-image-cloud-amd64'],
  )
})

const TYPES = ['application', 'library', 'container', 'operating-system']

/** The rules of bom-1.5.schema.json for the parts that we write. */
function isValid(t: Test, bill: Bill): void {
  t.match(bill, { bomFormat: 'CycloneDX', specVersion: '1.5', version: 1 })
  t.match(bill.serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  t.match(bill.metadata.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
  const refs = new Set<string>()
  const wrong: string[] = []
  const keys = [
    'type',
    'bom-ref',
    'name',
    'version',
    'purl',
    'licenses',
    'hashes',
    'properties',
    'components',
  ]
  const check = (component: Component): void => {
    const { type, name, version, purl, licenses = [], hashes = [], components = [] } = component
    const ref = component['bom-ref']
    const right =
      TYPES.includes(type) &&
      [ref, name, version].every(text => typeof text === 'string' && text !== '') &&
      Object.keys(component).every(key => keys.includes(key)) &&
      (purl === undefined || /^pkg:(npm|deb|golang)\/[\w.~%/-]+@[\w.~%-]+(\?[\w=&.-]+)?$/.test(purl)) &&
      licenses.length <= 1 &&
      licenses.every(({ expression }) => /^[\w.+() -]+$/.test(expression)) &&
      hashes.every(({ alg, content }) => alg === 'SHA-512' && /^[0-9a-f]{128}$/.test(content))
    if (!right || refs.has(ref)) wrong.push(ref)
    refs.add(ref)
    for (const inner of components) check(inner)
  }
  for (const component of [bill.metadata.component, ...bill.components]) check(component)
  t.strictSame(wrong, [], 'each component is as the schema has it, and has its own name')
  for (const { ref, dependsOn } of bill.dependencies)
    t.strictSame(
      [ref, ...dependsOn].filter(it => !refs.has(it)),
      [],
    )
}
