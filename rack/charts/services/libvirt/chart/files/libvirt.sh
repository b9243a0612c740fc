#!/bin/bash
# Says by which means guests can run here, then becomes libvirtd. Orphans, QEMU among them, go to the machine's own
# process 1, which reaps them.
set -eu
mkdir -p /run/libvirt/pilotlight /var/lib/nova/instances /var/log/libvirt/qemu

# A kvm device may be there and refuse to make a machine: it is asked to make one (KVM_GET_API_VERSION, KVM_CREATE_VM).
kvm_works() {
  [ -c /dev/kvm ] && python3 -ISc '
import fcntl
with open("/dev/kvm", "rb") as kvm:
    raise SystemExit(fcntl.ioctl(kvm, 0xAE00) != 12 or fcntl.ioctl(kvm, 0xAE01, 0) < 0)'
}

# Read by nova-compute, after its other configuration, as soon as libvirtd answers.
if kvm_works; then
  printf '[libvirt]\nvirt_type = kvm\ncpu_mode = host-model\n' > /run/libvirt/pilotlight/virt-type.conf
else
  printf '[libvirt]\nvirt_type = qemu\ncpu_mode = none\n' > /run/libvirt/pilotlight/virt-type.conf
fi
exec libvirtd --pid-file /run/libvirt/pilotlight/libvirtd.pid
