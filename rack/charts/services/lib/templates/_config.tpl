{{/* Configuration: what is written into files, and the ConfigMaps that hold them. */}}

{{/* A ConfigMap; takes chart, component, name and files, a dict of name to text. */}}
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

{{/* Lays sections of keys upon each other, the last of the list on top: YAML text. A null takes a key away. */}}
{{- define "lib.layered" -}}
{{- $all := dict }}
{{- range $layer := . }}
{{- range $section, $keys := $layer }}
{{- if not (hasKey $all $section) }}{{ $_ := set $all $section dict }}{{ end }}
{{- range $key, $value := $keys }}
{{- $_ := set (index $all $section) $key $value }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{/* Sections of keys as an ini file, as oslo.config, uWSGI and MariaDB read them. A list becomes one line an element. */}}
{{- define "lib.ini" -}}
{{- range $section, $keys := . }}
[{{ $section }}]
{{- range $key, $value := $keys }}
{{- if kindIs "slice" $value }}
{{- range $value }}
{{ $key }} = {{ include "lib.scalar" . }}
{{- end }}
{{- else if not (kindIs "invalid" $value) }}
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
