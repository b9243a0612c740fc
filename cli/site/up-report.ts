// What a finished `pilotlight up` prints.

import type { UpResult } from '#rack/up/up.ts'
import type { Verification } from '#rack/openstack/verify/verify.ts'

/** What a finished run prints, line by line. */
export function describeUp({ ready, kubeconfigPath, signsUntil, openstack }: UpResult): string[] {
  if (kubeconfigPath === undefined) return [`ready       ${ready.join(' ')}`]
  const until = new Date(signsUntil).toISOString().slice(0, 10)
  const cluster = [
    `kubeconfig  ${kubeconfigPath}   for eight hours; then: pilotlight kubeconfig`,
    `kubelets    renew their certificates until ${until} if the server is away, and longer when it is not`,
  ]
  if (openstack === undefined) return cluster
  const { verification, secondsTo, cloudsPath } = openstack
  const { guest, authUrl, services } = verification
  const answered =
    guest.answeredAt === undefined ? 'not reached from here' : `answered at ${guest.answeredAt}`
  return [
    ...cluster,
    `keystone    ${authUrl}   services ${services.join(' ')}`,
    `guest       ${guest.address} on ${guest.host}, ${answered}; run by ${guest.driver.name} with ${guest.driver.hypervisor}`,
    ...(secondsTo ? [`power-on    ${describeTimes(secondsTo)}`] : []),
    `openstack   OS_CLIENT_CONFIG_FILE=${cloudsPath} OS_CLOUD=pilotlight openstack server list`,
  ]
}

/** The same for programs. */
export function upJson({ ready, kubeconfigPath, signsUntil, openstack }: UpResult): object {
  if (kubeconfigPath === undefined) return { ready }
  const cluster = { kubeconfig: kubeconfigPath, signsUntil: new Date(signsUntil).toISOString() }
  if (openstack === undefined) return cluster
  const { verification, secondsTo, cloudsPath } = openstack
  const { guest, authUrl, services } = verification
  return {
    ...cluster,
    openstack: { clouds: cloudsPath, authUrl, services, guest, ...(secondsTo && { secondsTo }) },
  }
}

function describeTimes({ token, active, guestUp, answered }: Verification['at']): string {
  return [
    `${token.toFixed(1)} s to the first token`,
    `${active.toFixed(1)} s to ACTIVE`,
    `${guestUp.toFixed(1)} s to the guest with its address`,
    ...(answered === undefined ? [] : [`${answered.toFixed(1)} s to its answer from outside`]),
  ].join(', ')
}
