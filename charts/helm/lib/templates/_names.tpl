{{/* Labels and selectors. Every template takes a dict with `root` (the chart's own dot) and what it names. */}}

{{- define "lib.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "lib.labels" -}}
{{ include "lib.selector" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: openstack
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{/* Ten digits that change when `.text` does: in the name of a job, which cannot be changed, and in annotations. */}}
{{- define "lib.hash" -}}
{{ . | sha256sum | trunc 10 }}
{{- end }}
