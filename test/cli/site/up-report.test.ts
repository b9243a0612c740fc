// What a finished run prints.

import t from 'tap'
import { describeUp } from '#cli/site/up-report.ts'
import type { UpResult } from '#rack/up/up.ts'

const openstack: NonNullable<UpResult['openstack']> = {
  charts: { namespace: 'openstack', releases: [] },
  cloudsPath: '/s/clouds.yaml',
  verification: {
    authUrl: 'http://10.20.0.11:30500/v3',
    services: ['identity', 'compute'],
    checks: [],
    guest: {
      address: '192.168.213.5',
      answeredAt: '172.24.4.9',
      host: 'cmp-1',
      driver: { name: 'libvirt', hypervisor: 'QEMU, emulated (TCG)' },
    },
    at: { token: 0, active: 0, guestUp: 0 },
  },
  secondsTo: { token: 21.04, active: 61.5, guestUp: 64.31, answered: 64.4 },
}

const ready = ['ctl-1', 'cmp-1']
const signsUntil = Date.UTC(2027, 1, 26)
const cluster = [
  'kubeconfig  /s/kubeconfig   for eight hours; then: pilotlight kubeconfig',
  'kubelets    renew their certificates until 2027-02-26 if the server is away, and longer when it is not',
]

t.test('a run that switched machines on prints how long each step took', async t => {
  t.strictSame(describeUp({ ready, kubeconfigPath: '/s/kubeconfig', signsUntil, openstack }), [
    ...cluster,
    'keystone    http://10.20.0.11:30500/v3   services identity compute',
    'guest       192.168.213.5 on cmp-1, answered at 172.24.4.9; run by libvirt with QEMU, emulated (TCG)',
    'power-on    21.0 s to the first token, 61.5 s to ACTIVE, 64.3 s to the guest with its address, 64.4 s to its answer from outside',
    'openstack   OS_CLIENT_CONFIG_FILE=/s/clouds.yaml OS_CLOUD=pilotlight openstack server list',
  ])
})

t.test('a run that found the machines on prints no times, and one that ended early no cloud', async t => {
  const { secondsTo: _, ...found } = openstack
  t.notMatch(
    describeUp({ ready, kubeconfigPath: '/s/kubeconfig', signsUntil, openstack: found }).join('\n'),
    /power-on/,
  )
  t.strictSame(describeUp({ ready, kubeconfigPath: '/s/kubeconfig', signsUntil }), cluster)
  t.strictSame(describeUp({ ready, signsUntil }), ['ready       ctl-1 cmp-1'])
})
