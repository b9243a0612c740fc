// What the API server writes down of requests, and what it refuses of pods: files that each copy of it reads at its start.

import { stringify } from 'yaml'
import { groups } from './layout.ts'

/**
 * The audit policy: who asked for what, and the outcome, never with a body that may hold a secret. Reads by the
 * system itself and its heartbeats, which are nearly all there is, are left out: they would cost more than the rest of the
 * cluster's bring-up writes.
 */
export function auditPolicy(): string {
  return stringify({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [
      // Before all exceptions: requests that read secrets, take tokens, or enter pods and kubelets.
      {
        level: 'Metadata',
        resources: [
          {
            group: '',
            resources: [
              'secrets',
              'serviceaccounts/token',
              'pods/exec',
              'pods/attach',
              'pods/portforward',
              'pods/proxy',
              'pods/ephemeralcontainers',
              'services/proxy',
              'nodes/proxy',
            ],
          },
          { group: 'certificates.k8s.io' },
        ],
      },
      {
        level: 'None',
        nonResourceURLs: ['/livez*', '/readyz*', '/healthz*', '/version', '/openapi*', '/api*'],
      },
      {
        level: 'None',
        resources: [
          { group: 'coordination.k8s.io', resources: ['leases'] },
          { group: '', resources: ['events'] },
          { group: 'events.k8s.io', resources: ['events'] },
          { group: 'authentication.k8s.io', resources: ['tokenreviews'] },
          { group: 'authorization.k8s.io', resources: ['subjectaccessreviews', 'selfsubjectaccessreviews'] },
        ],
      },
      // Kubelets, controllers and the like ask what is, and say what is, all the time.
      ...system.flatMap(who => [
        { level: 'None', ...who, verbs: ['get', 'list', 'watch'] },
        { level: 'None', ...who, resources: states },
      ]),
      // What is given to whom, in full: these objects hold no secrets.
      {
        level: 'Request',
        verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'],
        resources: [{ group: 'rbac.authorization.k8s.io' }, { group: 'admissionregistration.k8s.io' }],
      },
      { level: 'Metadata' },
    ],
  })
}

/**
 * What pods may be where a namespace does not say: baseline, by the version of the API server. No one is exempt; the
 * namespaces that need more say so by their labels (docs/security.md).
 */
export function admission(): string {
  return stringify({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: [
      {
        name: 'PodSecurity',
        configuration: {
          apiVersion: 'pod-security.admission.config.k8s.io/v1',
          kind: 'PodSecurityConfiguration',
          defaults: {
            enforce: 'baseline',
            'enforce-version': 'latest',
            audit: 'restricted',
            'audit-version': 'latest',
            warn: 'restricted',
            'warn-version': 'latest',
          },
          exemptions: { usernames: [], runtimeClasses: [], namespaces: [] },
        },
      },
    ],
  })
}

/** The parts of the system, by their certificates' names, and by the groups of certificates and accounts. */
const system = [
  { users: ['system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler'] },
  { userGroups: ['system:nodes', 'system:serviceaccounts:kube-system', groups.checkpointers] },
]

/** The resources in which they report status. */
const states = [
  { group: '', resources: ['nodes/status', 'pods/status', 'namespaces/status', 'endpoints'] },
  {
    group: 'apps',
    resources: ['deployments/status', 'replicasets/status', 'daemonsets/status', 'statefulsets/status'],
  },
  { group: 'batch', resources: ['jobs/status'] },
  { group: 'discovery.k8s.io', resources: ['endpointslices'] },
]
