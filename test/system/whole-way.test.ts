// From power-on to a guest that answers, in a rack of container machines: what a newcomer's `npm run lab` does, and
// what must be true of the cluster that it leaves.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from '#host/command.ts'
import { labFiles } from '#lab/state.ts'
import { waitUntil } from '#progress/wait.ts'
import { inRack, kubectl, kubectlLine, labOf, pilotlight, RUN, whyNotWhole } from './lab.ts'

const LAB = `whole-${RUN}`
const skip = (await whyNotWhole()) ?? false

t.setTimeout(900_000)
t.teardown(() => pilotlight(['lab', 'down', '--lab', LAB], 60))

let up = false
await t.test('one command leads from nothing to a guest that answers', { skip }, async t => {
  const { status, stdout, stderr } = await pilotlight(['lab', '--keep', '--lab', LAB], 600)
  up = t.equal(status, 0, stderr)
  t.match(stdout, /ctl-1 +Ready +control-plane/)
  t.match(stdout, /cmp-1 +Ready +compute/)
  t.match(stdout, /keystone +http\S+ +services .*\bcompute\b/)
  t.match(
    stdout,
    /guest +[\d.]+ on cmp-1, answered at [\d.]+; run by libvirt with (QEMU, emulated \(TCG\)|KVM)/,
  )
  t.match(stdout, /power-on +[\d.]+ s to the first token, [\d.]+ s to ACTIVE, [\d.]+ s to the guest/)
  t.match(stderr, /^stage +seconds/m)
})

const notUp = skip || (up ? false : 'the lab did not come up')

type Objects = {
  items: {
    metadata: { name: string; labels: Record<string, string>; ownerReferences?: { kind: string }[] }
  }[]
}

t.test('the control plane is self-hosted, and no static pod is left', { skip: notUp }, async t => {
  const { items: sets } = await kubectl<Objects>(
    LAB,
    '--namespace=kube-system',
    'get',
    'daemonsets,deployments',
  )
  const names = sets.map(({ metadata }) => metadata.name).toSorted()
  t.match(
    names.join(' '),
    /coredns.*flannel.*kube-apiserver.*kube-controller-manager.*kube-proxy.*kube-scheduler/,
  )
  const { items: pods } = await kubectl<Objects>(LAB, '--namespace=kube-system', 'get', 'pods')
  const statics = pods.filter(({ metadata }) => metadata.ownerReferences?.some(({ kind }) => kind === 'Node'))
  t.strictSame(
    statics.map(({ metadata }) => metadata.name),
    [],
  )
})

t.test(
  'a pod does not get the bundle of its node, nor its config, nor what only nodes may ask',
  { skip: notUp },
  async t => {
    const { address } = labOf(LAB).rack.bridge
    const controller = '10.20.0.11'
    const refused = [
      `http://${address}:8080/ignition?mac=52-54-00-20-00-01`,
      `https://${address}:8443/agent/v1/bundle`,
      `https://${controller}:10250/healthz`,
      `https://${controller}:2379/health`,
    ]
    const answered = [
      `https://${controller}:6443/readyz`,
      'https://10.3.0.1/readyz',
      `http://${controller}:30500/v3`,
    ]
    const each = 'for url; do echo "$(curl -ks -o /dev/null -m 3 -w "%{http_code}" "$url") $url"; done; true'
    const argv = [
      'exec',
      'deployment/keystone-api',
      '--',
      'bash',
      '-c',
      each,
      'bash',
      ...refused,
      ...answered,
    ]
    const said = await inRack(LAB, await kubectlLine(LAB, '--namespace=openstack', ...argv))
    t.strictSame(said.trim().split('\n'), [
      ...refused.map(url => `000 ${url}`),
      ...answered.map(url => `200 ${url}`),
    ])
  },
)

t.test('nodes carry the labels of their roles', { skip: notUp }, async t => {
  const { items } = await kubectl<Objects>(LAB, 'get', 'nodes')
  const labels = Object.fromEntries(items.map(({ metadata }) => [metadata.name, metadata.labels]))
  t.match(labels['ctl-1'], {
    'node-role.kubernetes.io/control-plane': '',
    'openstack-control-plane': 'enabled',
  })
  t.match(labels['cmp-1'], { 'node-role.kubernetes.io/compute': '', 'openstack-compute-node': 'enabled' })
})

t.test(
  'a deleted API server pod comes back, and the static copy that bridged the gap leaves',
  { skip: notUp },
  async t => {
    const before = await apiServerPods()
    t.equal(before.length, 1)
    await inRack(
      LAB,
      await kubectlLine(
        LAB,
        '--namespace=kube-system',
        'delete',
        'pod',
        before[0]?.name ?? '',
        '--wait=false',
      ),
    )
    const after = await waitUntil('a new API server pod', { limitSeconds: 120, everyMs: 500 }, async () => {
      const pods = await apiServerPods()
      const fresh = pods.filter(pod => !before.some(({ name }) => name === pod.name))
      return pods.length === 1 && fresh.length === 1 && fresh[0]?.ready && !fresh[0].static
        ? { value: pods }
        : { not: pods.map(({ name, ready }) => `${name} ${ready ? 'ready' : 'not ready'}`).join(', ') }
    })
    t.equal(after.length, 1)
  },
)

type Pods = {
  items: {
    metadata: { name: string; ownerReferences?: { kind: string }[] }
    status: { conditions?: { type: string; status: string }[] }
  }[]
}

async function apiServerPods(): Promise<{ name: string; ready: boolean; static: boolean }[]> {
  const { items } = await kubectl<Pods>(LAB, '--namespace=kube-system', 'get', 'pods')
  return items
    .filter(({ metadata }) => metadata.name.startsWith('kube-apiserver'))
    .map(({ metadata, status }) => ({
      name: metadata.name,
      ready: status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false,
      static: metadata.ownerReferences?.some(({ kind }) => kind === 'Node') ?? false,
    }))
}

t.test('the lists answer curl with JSON that a person can read', { skip: notUp }, async t => {
  const { serverUrl = '' } = labOf(LAB).status()
  for (const list of ['profiles', 'groups', 'machines']) {
    const { stdout } = await run('curl', ['--silent', '--fail', '--max-time', '10', `${serverUrl}/${list}`], {
      limitSeconds: 15,
    })
    const items = JSON.parse(stdout) as unknown[]
    t.ok(items.length >= 2, list)
    t.ok(stdout.split('\n').length > items.length * 3, 'one value a line')
  }
  const machines = (await (await fetch(`${serverUrl}/machines`)).json()) as { name: string; phase: string }[]
  t.strictSame(machines.map(({ name, phase }) => `${name} ${phase}`).toSorted(), [
    'cmp-1 ready',
    'ctl-1 ready',
  ])
})

t.test(
  'the openstack client of a user gets tokens, services and users from outside the pods',
  { skip: notUp },
  async t => {
    const clouds = join(labFiles(labOf(LAB).directory).up, 'clouds.yaml')
    t.ok(existsSync(clouds))
    const openstack = async (...args: string[]) =>
      JSON.parse(
        await inRack(LAB, [
          'env',
          `OS_CLIENT_CONFIG_FILE=${clouds}`,
          'OS_CLOUD=pilotlight',
          'openstack',
          ...args,
          '-f',
          'json',
        ]),
      ) as Record<string, string>[] & Record<string, string>
    t.match((await openstack('token', 'issue'))['id'], /^gAAAA/)
    t.ok((await openstack('service', 'list')).some(service => service['Type'] === 'identity'))
    t.ok((await openstack('user', 'list')).some(user => user['Name'] === 'admin'))
  },
)

t.test('the same command again finds everything done', { skip: notUp }, async t => {
  const { status, stderr } = await pilotlight(['lab', '--keep', '--lab', LAB], 300)
  t.equal(status, 0, stderr)
  t.match(stderr, /power on: skipped/)
})

t.test('down leaves no process, namespace, mount or control group', { skip }, async t => {
  const { status } = await pilotlight(['lab', 'down', '--lab', LAB], 60)
  t.equal(status, 0)
  for (const [command, ...args] of [
    ['ip', 'netns'],
    ['cat', '/proc/mounts'],
    ['ps', 'axww', '-o', 'args'],
    ['find', '/sys/fs/cgroup', '-maxdepth', '3'],
  ]) {
    const { stdout } = await run(command ?? '', args, { limitSeconds: 15 })
    t.notMatch(
      stdout
        .split('\n')
        .filter(line => !line.includes('whole-way.test'))
        .join('\n'),
      LAB,
    )
  }
})
