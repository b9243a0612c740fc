{{/* Services, configuration, waiting. */}}

{{/* A Service; takes root, component, name, ports (YAML text), and type where it is not ClusterIP. */}}
{{- define "lib.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  labels: {{- include "lib.labels" . | nindent 4 }}
spec:
  {{- with .type }}
  type: {{ . }}
  {{- end }}
  {{- if .headless }}
  clusterIP: None
  {{- end }}
  selector: {{- include "lib.selector" . | nindent 4 }}
  ports: {{- .ports | nindent 4 }}
{{- end }}

{{/* A ConfigMap; takes root, component, name and files, a dict of name to text. */}}
{{- define "lib.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  labels: {{- include "lib.labels" . | nindent 4 }}
data:
  {{- range $name, $text := .files }}
  {{ $name }}: |
    {{- $text | trim | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Sections of keys as an ini file, as oslo.config and MariaDB read them. A list becomes one line an element. */}}
{{- define "lib.ini" -}}
{{- range $section, $keys := . }}
[{{ $section }}]
{{- range $key, $value := $keys }}
{{- if kindIs "slice" $value }}
{{- range $value }}
{{ $key }} = {{ include "lib.scalar" . }}
{{- end }}
{{- else }}
{{ $key }} = {{ include "lib.scalar" $value }}
{{- end }}
{{- end }}
{{ end }}
{{- end }}

{{/* Nested keys joined by dots, as RabbitMQ reads them. */}}
{{- define "lib.dotted" -}}
{{- $prefix := .prefix }}
{{- range $key, $value := .keys }}
{{- $path := ternary $key (printf "%s.%s" $prefix $key) (eq $prefix "") }}
{{- if kindIs "map" $value }}
{{- include "lib.dotted" (dict "prefix" $path "keys" $value) }}
{{- else }}
{{ $path }} = {{ include "lib.scalar" $value }}
{{- end }}
{{- end }}
{{- end }}

{{/* Numbers of a values file arrive as floats: 300000000 must not become 3e+08. */}}
{{- define "lib.scalar" -}}
{{- if kindIs "float64" . }}{{ if eq . (floor .) }}{{ . | int64 }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* A variable from a Secret: takes name, secret, key. */}}
{{- define "lib.secretEnv" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: { name: {{ .secret }}, key: {{ .key }} }
{{- end }}

{{/* The shell function that waits for another service; a container's script sources it as /opt/pilotlight/wait.sh. */}}
{{- define "lib.wait.sh" -}}
# wait_for_service HOST PORT: returns once a connection opens; says once what it waits for.
wait_for_service() {
  local said=
  until timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; do
    [ -n "$said" ] || echo "waiting for service $1:$2"
    said=yes
    sleep 0.2
  done
}
{{- end }}
