{{/*
The layer-2 agent, a component of the chart: for Linux' own bridges, or for Open vSwitch where the node runs it. An init
container makes the external network's bridge and configures the agent for it.
*/}}

{{- define "neutron.linuxbridge" -}}
lb-agent:
  {{- include "neutron.layer2" . | nindent 2 }}
  conf: [neutron.conf, linuxbridge_agent.ini]
  command:
    - bash
    - /opt/pilotlight/linuxbridge-agent.sh
    - --privileged=neutron.privileged.agent.linux.ip_lib,neutron.privileged.agent.linux.utils
    - linuxbridge:main
    - neutron-linuxbridge-agent
    - --config-file=/etc/neutron/neutron.conf
    - --config-file=/etc/neutron/plugins/ml2/linuxbridge_agent.ini
    - --config-file=/tmp/mappings.ini
  rawEnv:
    - { name: OS_DEFAULT__HOST, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
    - { name: OS_VXLAN__LOCAL_IP, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
{{- end }}

{{- define "neutron.openvswitch" -}}
ovs-agent:
  {{- include "neutron.layer2" . | nindent 2 }}
  conf: [neutron.conf, openvswitch_agent.ini]
  command:
    - python3
    - /opt/pilotlight/agent.py
    - --privileged=neutron.privileged.agent.linux.ip_lib,neutron.privileged.agent.linux.utils
    - neutron.cmd.eventlet.plugins.ovs_neutron_agent:main
    - neutron-openvswitch-agent
    - --config-file=/etc/neutron/neutron.conf
    - --config-file=/etc/neutron/plugins/ml2/openvswitch_agent.ini
    - --config-file=/tmp/mappings.ini
  rawEnv:
    - { name: OS_DEFAULT__HOST, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
    - { name: OS_OVS__LOCAL_IP, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
  volumes:
    - { name: ovs, hostPath: { path: /run/openvswitch, type: Directory } }
  mounts:
    - { name: ovs, mountPath: /run/openvswitch }
{{- end }}

{{- define "neutron.layer2" -}}
{{- $external := .Values.network.external -}}
kind: DaemonSet
grace: 5 # they find what there is to do again when they start
user: 0
pod: { hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet }
uses: [messaging]
awaits: [messaging, "queue:q-plugin"]
# Writes settings of bridges below /proc/sys and /sys, which are read-only for every container that is not privileged.
privileged: true
initContainers:
  - name: external-network
    command: [bash, /opt/pilotlight/external-network.sh]
    resources: external
    conf: []
    privileged: true # sets net.ipv4.ip_forward
    rawEnv:
      - { name: NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
    env:
      BACKEND: {{ first .Values.network.backend }}
      EXTERNAL_NODES: {{ join " " $external.nodes | quote }}
      EXTERNAL_BRIDGE: {{ $external.bridge }}
      EXTERNAL_CIDR: {{ $external.cidr | quote }}
      EXTERNAL_INTERFACE: {{ $external.interface | default "" | quote }}
      EXTERNAL_MACHINES: {{ join " " $external.machines | quote }}
      EXTERNAL_CLUSTER: {{ join " " $external.cluster | quote }}
      EXTERNAL_RESOLVERS: {{ join " " $external.resolvers | quote }}
      EXTERNAL_LABEL: {{ $external.physical_network }}
{{- with .Values.network.backend | first | eq "openvswitch" | ternary "openvswitch" "" }}
    mounts:
      - { name: ovs, mountPath: /run/openvswitch }
{{- end }}
{{- end }}
