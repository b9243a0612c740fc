{{/*
Workloads and the objects beside them. Each takes a dict: chart (see _chart.tpl), component, name, and `it`, the
component's description:

  kind            Deployment by default; DaemonSet, StatefulSet
  name            CHART-COMPONENT by default
  port            where it answers; makes a Service of the same name (`servicePort`, where that differs)
  containers      by name; without it, the component itself describes its only container: see _pod.tpl
  initContainers  a list of containers, each with its `name`
  volumes         a list, as Kubernetes takes it, beside the chart's own
  user            0 for root; else the chart's
  pod             more fields of the pod, as Kubernetes takes them (hostNetwork, ...)
  grace           seconds between the end signal and the kill, 10 by default

Replicas, labels, resources and node ports come from .Values.pod.replicas, .labels, .pod.resources and .network by the
component's name.
*/}}

{{- define "lib.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata: {{- include "lib.metadata" . | nindent 2 }}
spec:
  replicas: {{ include "lib.replicas" . }}
  revisionHistoryLimit: 3
  # The new one is there before the old one goes.
  strategy:
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  selector:
    matchLabels: {{- include "lib.selector" . | nindent 6 }}
  template: {{- include "lib.pod" . | nindent 4 }}
{{- end }}

{{- define "lib.statefulset" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata: {{- include "lib.metadata" . | nindent 2 }}
spec:
  serviceName: {{ .name }}
  replicas: {{ include "lib.replicas" . }}
  revisionHistoryLimit: 3
  podManagementPolicy: Parallel
  selector:
    matchLabels: {{- include "lib.selector" . | nindent 6 }}
  template: {{- include "lib.pod" . | nindent 4 }}
{{- end }}

{{- define "lib.daemonset" -}}
apiVersion: apps/v1
kind: DaemonSet
metadata: {{- include "lib.metadata" . | nindent 2 }}
spec:
  revisionHistoryLimit: 3
  selector:
    matchLabels: {{- include "lib.selector" . | nindent 6 }}
  template: {{- include "lib.pod" . | nindent 4 }}
{{- end }}

{{/* A job's name carries the hash of all it does: a changed job is a new one beside the old, never an edit. */}}
{{- define "lib.job" -}}
apiVersion: batch/v1
kind: Job
metadata: {{- include "lib.metadata" . | nindent 2 }}
spec:
  backoffLimit: {{ .chart.root.Values.jobs.backoffLimit }}
  activeDeadlineSeconds: {{ .chart.root.Values.jobs.limitSeconds }}
  template: {{- include "lib.pod" . | nindent 4 }}
{{- end }}

{{- define "lib.service" -}}
{{- $network := index (.chart.root.Values.network | default dict) .component | default dict }}
{{- $nodePort := $network.node_port | default (dict "enabled" false) -}}
apiVersion: v1
kind: Service
metadata: {{- include "lib.metadata" . | nindent 2 }}
spec:
  {{- if $nodePort.enabled }}
  type: NodePort
  {{- end }}
  selector: {{- include "lib.selector" . | nindent 4 }}
  ports:
    - name: {{ .component | trunc 15 }}
      port: {{ int (.it.servicePort | default .it.port) }}
      targetPort: {{ int .it.port }}
      {{- if $nodePort.enabled }}
      nodePort: {{ int $nodePort.port }}
      {{- end }}
{{- end }}

{{/*
What may reach the pods of a chart, for an engine that enforces network policies: the ports of its components, and nothing
else. Takes chart, and components (by name) that have the pod network: pods on their machine's network are the machine, to
every engine. Clients on machines, and those of node ports, have addresses of machines, which no selector finds; so a port is
for all, unless the plan names the clients.
*/}}
{{- define "lib.policy" -}}
{{- $clients := .chart.root.Values.network_policy.clients }}
{{- $ports := list }}
{{- range $it := .components }}{{ with $it.port }}{{ $ports = append $ports (dict "protocol" "TCP" "port" (int .)) }}{{ end }}{{ end -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{- include "lib.metadata" (dict "chart" .chart "component" "policy" "name" .chart.name) | nindent 2 }}
spec:
  podSelector:
    matchExpressions:
      - { key: app.kubernetes.io/name, operator: In, values: {{ toJson (list .chart.name) }} }
      - { key: app.kubernetes.io/component, operator: In, values: {{ keys .components | sortAlpha | toJson }} }
  policyTypes: [Ingress]
  {{- if $ports }}
  ingress:
    - ports: {{ toJson $ports }}
      {{- with $clients }}
      from:
        - podSelector:
            matchExpressions:
              - { key: app.kubernetes.io/name, operator: In, values: {{ toJson . }} }
      {{- end }}
  {{- end }}
{{- end }}

{{/* Draining a machine removes replicas one by one; a single one does not prevent it. */}}
{{- define "lib.disruption" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "lib.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "lib.selector" . | nindent 6 }}
{{- end }}

{{- define "lib.metadata" -}}
name: {{ .name }}
labels: {{- include "lib.labels" . | nindent 2 }}
{{- end }}

{{- define "lib.replicas" -}}
{{ index (.chart.root.Values.pod.replicas | default dict) .component | default 1 | int }}
{{- end }}
