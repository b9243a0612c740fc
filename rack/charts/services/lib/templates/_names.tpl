{{/* Labels, selectors, addresses. Templates take a dict with `chart` (see _chart.tpl) and what they name. */}}

{{- define "lib.selector" -}}
app.kubernetes.io/name: {{ .chart.name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "lib.labels" -}}
{{ include "lib.selector" . }}
app.kubernetes.io/instance: {{ .chart.root.Release.Name }}
app.kubernetes.io/part-of: openstack
app.kubernetes.io/managed-by: {{ .chart.root.Release.Service }}
{{- end }}

{{/* Ten digits that change when the text does: in the name of a job, which cannot be changed, and in annotations. */}}
{{- define "lib.hash" -}}
{{ . | sha256sum | trunc 10 }}
{{- end }}

{{/* Where a service answers inside the cluster: takes root and the key of .Values.endpoints. */}}
{{- define "lib.internalUrl" -}}
{{- $it := index .root.Values.endpoints .endpoint -}}
{{ $it.scheme.default }}://{{ $it.hosts.default }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.endpoints.cluster_domain_suffix }}:{{ int $it.port.api.default }}{{ $it.path.default }}
{{- end }}

{{/* The same for clients outside; also takes the component whose node port is the way in. */}}
{{- define "lib.publicUrl" -}}
{{- $it := index .root.Values.endpoints .endpoint -}}
{{- with $it.host_fqdn_override.public -}}
{{- $network := index ($.root.Values.network | default dict) $.component | default dict -}}
{{- $nodePort := $network.node_port | default (dict "enabled" false) -}}
{{ $it.scheme.default }}://{{ . }}:{{ int (ternary $nodePort.port $it.port.api.default $nodePort.enabled) }}{{ $it.path.default }}
{{- else -}}
{{ include "lib.internalUrl" $ }}
{{- end }}
{{- end }}
