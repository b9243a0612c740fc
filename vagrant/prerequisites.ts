// What a host must have to run the rack of the Vagrantfile (vagrant/run).

import type { Prerequisite } from '#host/prerequisites.ts'
import { libvirtPrerequisites } from '#lab/prerequisites.ts'

export const vagrantPrerequisites: readonly Prerequisite[] = [
  ...libvirtPrerequisites,
  { command: 'vagrant', package: 'vagrant', why: 'reads the Vagrantfile' },
  {
    command: '/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json',
    package: 'vagrant-libvirt',
    why: 'the provider of the workstation rack',
  },
]
