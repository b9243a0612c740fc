{{/* What runs on each compute machine and drives its libvirt: a component of the chart. */}}
{{- define "nova.compute" -}}
compute:
  kind: DaemonSet
  user: 0
  pod: { hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet }
  uses: [messaging, identity]
  awaits: [messaging, "catalog:placement", /run/libvirt/libvirt-sock, "queue:conductor"]
  # As root, since what it shares with libvirt is root's. It makes bridges for guests and sets their /proc/sys settings
  # (read-only for every container that is not privileged).
  privileged: true
  command:
    - python3
    - /opt/pilotlight/agent.py
    - --privileged=nova.privsep,vif_plug_linux_bridge.linux_net
    - nova.cmd.compute:main
    - nova-compute
    - --config-file=/etc/nova/nova.conf
    - --config-file=/run/libvirt/pilotlight/virt-type.conf
  rawEnv:
    - { name: OS_DEFAULT__HOST, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
    {{- range $variable := list "OS_DEFAULT__MY_IP" "OS_VNC__SERVER_LISTEN" "OS_VNC__SERVER_PROXYCLIENT_ADDRESS" }}
    - { name: {{ $variable }}, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
    {{- end }}
  {{- with .Values.conf.nova.libvirt.virt_type }}
  # Against what libvirt.sh found out.
  env: { OS_LIBVIRT__VIRT_TYPE: {{ . }} }
  {{- end }}
  volumes:
    - { name: instances, hostPath: { path: /var/lib/nova, type: DirectoryOrCreate } }
    - { name: libvirt, hostPath: { path: /run/libvirt, type: DirectoryOrCreate } }
    # A guest's console is a terminal that QEMU opened.
    - { name: terminals, hostPath: { path: /dev/pts, type: Directory } }
  mounts:
    - { name: instances, mountPath: /var/lib/nova }
    - { name: libvirt, mountPath: /run/libvirt }
    - { name: terminals, mountPath: /dev/pts }
{{- end }}
