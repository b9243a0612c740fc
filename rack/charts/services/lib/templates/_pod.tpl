{{/* A pod, from a component's description: see _workload.tpl. */}}
{{- define "lib.pod" -}}
{{- $values := .chart.root.Values }}
{{- $user := int (ternary .it.user .chart.spec.user (hasKey .it "user")) -}}
metadata:
  labels: {{- include "lib.labels" . | nindent 4 }}
  {{- with include "lib.checksums" . | trim }}
  annotations: {{- . | nindent 4 }}
  {{- end }}
spec:
  {{- if eq (.it.kind | default "") "Job" }}
  restartPolicy: OnFailure
  {{- end }}
  {{- with index $values.labels .component | default $values.labels.default }}
  nodeSelector:
    {{ .node_selector_key }}: {{ .node_selector_value | quote }}
  {{- end }}
  {{- if has (.it.kind | default "Deployment") (list "Deployment" "StatefulSet") }}
  affinity: {{- include "lib.apart" . | nindent 4 }}
  {{- end }}
  enableServiceLinks: false
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ .it.grace | default 10 | int }}
  securityContext:
    runAsUser: {{ $user }}
    runAsGroup: {{ $user }}
    fsGroup: {{ $user }}
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- with .it.pod }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .it.initContainers }}
  initContainers:
    {{- range . }}
    - {{ include "lib.container" (dict "chart" $.chart "component" $.component "user" $user "name" .name "it" .) | indent 6 | trim }}
    {{- end }}
  {{- end }}
  containers:
    {{- range $name, $it := .it.containers | default (dict .component .it) }}
    - {{ include "lib.container" (dict "chart" $.chart "component" $.component "user" $user "name" $name "it" $it) | indent 6 | trim }}
    {{- end }}
  volumes:
    - { name: tmp, emptyDir: {} }
    {{- if .chart.scripts }}
    - { name: bin, configMap: { name: {{ .chart.name }}-bin } }
    {{- end }}
    {{- if .chart.texts }}
    - { name: etc, configMap: { name: {{ .chart.name }}-etc } }
    {{- end }}
    {{- with .it.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/*
One container, without any privilege and with a root file system that it cannot write by default. `it` describes it:

  image         a key of .Values.images.tags; CHART_COMPONENT by default
  resources     a path in .Values.pod.resources; the component's name by default
  command       a list; or `serve`, for a service of OpenStack, see _openstack.tpl
  conf          the files of configuration that it reads, all of them by default
  uses, awaits  see _openstack.tpl
  env           a dict of texts;  secretEnv  a dict of {secret, key};  rawEnv  a list as Kubernetes takes it
  port, http    where it answers, and the path that shows that it does; `tcp: true` where nothing speaks HTTP
  health        true, for a service that only receives messages: `serve` reports to the kubelet that it works
  mounts        a list, as Kubernetes takes it
  capabilities  what it may do as root, each with its reason in the chart
  privileged    true, where nothing less will do
  security      the whole securityContext instead
*/}}
{{- define "lib.container" -}}
{{- $values := .chart.root.Values }}
{{- $it := .it }}
{{- $image := $it.image | default (printf "%s_%s" .chart.name .component | replace "-" "_") }}
{{- $command := $it.command }}
{{- if not $command }}{{ $command = include "lib.serve" . | fromYamlArray }}{{ end }}
{{- $resources := $values.pod.resources }}
{{- range splitList "." ($it.resources | default .component) }}{{ $resources = index $resources . }}{{ end -}}
name: {{ .name }}
image: {{ index $values.images.tags $image | required (printf "images.tags.%s is not set" $image) | quote }}
imagePullPolicy: {{ $values.images.pull_policy }}
command: {{- toYaml $command | nindent 2 }}
securityContext: {{- $it.security | default (include "lib.security" . | fromYaml) | toYaml | nindent 2 }}
resources: {{- toYaml ($resources | required (printf "pod.resources.%s is not set" ($it.resources | default .component))) | nindent 2 }}
{{- with include "lib.env" . | trim }}
env: {{- . | nindent 2 }}
{{- end }}
{{- with $it.port }}
ports:
  - containerPort: {{ int . }}
{{- end }}
{{- with include "lib.probe" $it }}
{{- $probe := fromYaml . }}
# Asked every second until it answers for the first time, then rarely.
startupProbe: {{- merge (dict "periodSeconds" 1 "timeoutSeconds" 3 "failureThreshold" 600) $probe | toYaml | nindent 2 }}
{{- if $it.port }}
readinessProbe: {{- merge (dict "periodSeconds" 5 "timeoutSeconds" 3 "failureThreshold" 2) $probe | toYaml | nindent 2 }}
{{- end }}
livenessProbe: {{- merge (dict "periodSeconds" 20 "timeoutSeconds" 10 "failureThreshold" 6) $probe | toYaml | nindent 2 }}
{{- if and $it.port (eq ($it.kind | default "Deployment") "Deployment") }}
lifecycle:
  preStop: { sleep: { seconds: {{ $values.pod.drain_seconds }} } }
{{- end }}
{{- end }}
volumeMounts:
  - { name: tmp, mountPath: /tmp }
  {{- if .chart.scripts }}
  - { name: bin, mountPath: /opt/pilotlight }
  {{- end }}
  {{- range $name, $path := .chart.paths }}
  {{- if or (not (hasKey $it "conf")) (has $name $it.conf) }}
  - { name: etc, mountPath: {{ $path }}, subPath: {{ $name }} }
  {{- end }}
  {{- end }}
  {{- with $it.mounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* How the kubelet asks a container whether it works: nothing for one that offers no way to ask. */}}
{{- define "lib.probe" -}}
{{- if .health -}}
httpGet: { port: {{ include "lib.healthPort" . }}, path: / }
{{- else if .http -}}
httpGet: { port: {{ int .port }}, path: {{ .http }} }
{{- else if .tcp -}}
tcpSocket: { port: {{ int .port }} }
{{- end }}
{{- end }}

{{/* In the pod's own network, so that it may be the same for all. */}}
{{- define "lib.healthPort" }}8086{{ end }}

{{- define "lib.security" -}}
{{- if .it.privileged -}}
privileged: true
{{- else -}}
allowPrivilegeEscalation: false
runAsNonRoot: {{ ne .user 0 }}
capabilities:
  drop: [ALL]
  {{- with .it.capabilities }}
  add: {{ toJson . }}
  {{- end }}
{{- end }}
readOnlyRootFilesystem: true
{{- end }}

{{/*
An init container for a directory of the host, which belongs to root: hands it over to the chart's user, and has just the
right to do that. Takes root, image, volume, path.
*/}}
{{- define "lib.handOver" -}}
- name: hand-over
  image: {{ .image }}
  command: [chown, "{{ int .root.Values.pod.user }}:{{ int .root.Values.pod.user }}", {{ .path }}]
  conf: []
  security:
    runAsUser: 0
    runAsGroup: 0
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: { drop: [ALL], add: [CHOWN] }
  mounts:
    - { name: {{ .volume }}, mountPath: {{ .path }} }
{{- end }}

{{/* Annotations that change with what the pod reads, so that a change rolls these pods and no others. */}}
{{- define "lib.checksums" -}}
{{- $read := dict }}
{{- range $it := concat (values (.it.containers | default (dict "" .it))) (.it.initContainers | default list) }}
{{- range $name, $text := $.chart.texts }}
{{- if or (not (hasKey $it "conf")) (has $name $it.conf) }}{{ $_ := set $read $name $text }}{{ end }}
{{- end }}
{{- end }}
{{- if ne (.it.kind | default "") "Job" }}
{{- with $read }}
checksum/etc: {{ include "lib.hash" (toJson .) | quote }}
{{- end }}
{{- with .chart.scripts }}
checksum/bin: {{ include "lib.hash" (toJson .) | quote }}
{{- end }}
{{- end }}
{{- with .chart.root.Values.secret_versions }}
checksum/secrets: {{ include "lib.hash" (toJson .) | quote }}
{{- end }}
{{- end }}

{{/* Replicas keep apart. */}}
{{- define "lib.apart" -}}
{{- $anti := .chart.root.Values.pod.affinity.anti }}
{{- $term := dict "topologyKey" $anti.topologyKey.default "labelSelector" (dict "matchLabels" (include "lib.selector" . | fromYaml)) }}
{{- if hasPrefix "preferred" $anti.type.default }}
{{- $term = dict "weight" 100 "podAffinityTerm" $term }}
{{- end -}}
podAntiAffinity:
  {{ $anti.type.default }}: {{- toYaml (list $term) | nindent 4 }}
{{- end }}
