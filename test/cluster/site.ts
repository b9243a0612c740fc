// The small rack's site, as its file compiles: one controller, one compute machine.

import type { Site } from '#site/site.ts'

export const smallSite: Site = {
  name: 'small',
  network: {
    subnet: '10.20.0.0/24',
    gateway: '10.20.0.1',
    dhcp: 'full',
    pool: { first: '10.20.0.100', last: '10.20.0.199' },
    dns: [],
  },
  machines: [
    {
      name: 'ctl-1',
      macs: ['52:54:00:20:00:01'],
      role: 'controller',
      address: '10.20.0.11',
      labels: {},
    },
    {
      name: 'cmp-1',
      macs: ['52:54:00:20:00:02'],
      role: 'compute',
      address: '10.20.0.12',
      labels: {},
    },
  ],
  cluster: {
    kubernetes: '1.36.3',
    podCidr: '10.2.0.0/16',
    serviceCidr: '10.3.0.0/24',
    apiAddress: '10.20.0.11',
  },
  openstack: {
    plan: 'compute-kit',
    features: [],
    waves: [],
    values: {},
    external: { cidr: '172.24.4.0/24' },
  },
}

/** The machine of that name. */
export function machineNamed(site: Site, name: string) {
  const machine = site.machines.find(machine => machine.name === name)
  if (machine === undefined) throw new Error(`no machine ${name} in the test's site`)
  return machine
}

/** The small rack with a third machine. */
export function withMachine(site: Site, name: string, address: string): Site {
  const machine = { name, macs: ['52:54:00:20:00:03'], role: 'compute', address, labels: {} } as const
  return { ...site, machines: [...site.machines, machine] }
}
