// A controller as an inventory declares it, for tests that need one machine and look at nothing else of it.

import type { Machine } from '#model/machine.ts'

export const controller: Machine = {
  name: 'ctl-1',
  macs: ['52:54:00:20:00:01'],
  role: 'controller',
  address: '10.20.0.11',
  labels: {},
}
