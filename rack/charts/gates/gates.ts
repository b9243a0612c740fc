// Whether a release keeps its promises, judged from what the APIs show: kept, not yet (and why), or broken, where waiting
// longer would not help. Pure. Kubernetes objects have their judges in rack/kubernetes/judge.ts.

import {
  hasLabels,
  judgeDaemonset,
  judgeDeployment,
  judgeJobs,
  judgeStatefulset,
} from '../../kubernetes/judge.ts'
import type { Snapshot } from '../../kubernetes/namespace-view.ts'
import type { Job, KubernetesObject } from '../../kubernetes/objects.ts'
import { ready, waiting, type Readiness } from '../../kubernetes/readiness.ts'
import type { Agent } from '../../openstack/network.ts'
import type { Promised } from '../plan/plan.ts'

/** Promises about Kubernetes objects. */
export type ObjectPromise = Extract<Promised, { kind: 'deployment' | 'statefulset' | 'daemonset' | 'job' }>

/**
 * Judges a promise about Kubernetes objects of `release`. `now` is in milliseconds since 1970, and is compared with
 * the times that the cluster wrote.
 */
export function judgePromise(
  promised: ObjectPromise,
  release: string,
  seen: Snapshot,
  now: number,
): Readiness {
  const { name } = promised
  const beside = { pods: seen.pods, now }
  switch (promised.kind) {
    case 'deployment':
      return judgeDeployment(name, named(name, seen.deployments), beside)
    case 'statefulset':
      return judgeStatefulset(name, named(name, seen.statefulsets), beside)
    case 'daemonset':
      return judgeDaemonset(name, named(name, seen.daemonsets), beside)
    default:
      return judgeJobs(name, jobsOf(release, promised.component, seen), beside)
  }
}

/** Judges whether agents of all `binaries` are alive on all `hosts`. */
export function judgeAgents(
  { binaries, hosts }: Extract<Promised, { kind: 'agents' }>,
  agents: readonly Pick<Agent, 'binary' | 'host' | 'alive'>[],
): Readiness {
  const missing = binaries.flatMap(binary =>
    hosts.flatMap(host => {
      const agent = agents.find(it => it.binary === binary && it.host === host)
      if (agent?.alive) return []
      return `${binary} ${agent === undefined ? 'has not reported' : 'is not alive'} on ${host}`
    }),
  )
  return missing.length === 0 ? ready('all agents are alive') : waiting(missing.join(', '))
}

/** A compute host as Nova reports its hypervisor; it does so for those that are mapped to a cell. */
export type ComputeHost = { readonly host: string; readonly state: string; readonly status: string }

/** Judges whether all `hosts` are mapped, up and enabled. */
export function judgeHypervisors(
  { hosts }: Extract<Promised, { kind: 'hypervisors' }>,
  hypervisors: readonly ComputeHost[],
): Readiness {
  const missing = hosts.flatMap(host => {
    const found = hypervisors.find(it => it.host === host)
    if (found === undefined) return `compute host ${host} is not mapped to a cell yet`
    return found.state === 'up' && found.status === 'enabled'
      ? []
      : `compute host ${host} is ${found.state} and ${found.status}`
  })
  return missing.length === 0 ? ready('all compute hosts are up') : waiting(missing.join(', '))
}

function jobsOf(release: string, component: string, { jobs }: Snapshot): Job[] {
  const labels = { 'app.kubernetes.io/instance': release, 'app.kubernetes.io/component': component }
  return jobs.filter(({ metadata }) => hasLabels(metadata.labels, labels))
}

function named<T extends KubernetesObject>(name: string, objects: readonly T[]): T | undefined {
  return objects.find(({ metadata }) => metadata.name === name)
}
