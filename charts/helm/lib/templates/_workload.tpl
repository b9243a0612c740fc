{{/*
Workloads. Each takes a dict:
  root        the chart's own dot
  component   the part of the chart, for example `server`; also a key of .Values.labels and .Values.pod.*
  name        the object's name
  containers  YAML text: a list of containers, as made by lib.container
  initContainers, volumes   YAML text, where there are any
  uid         the numeric user that everything in the pod runs as, and the group of its volumes
  checksums   a dict; each becomes an annotation, so that a change rolls these pods and no others
  grace       seconds between the end signal and the kill
*/}}

{{- define "lib.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  labels: {{- include "lib.labels" . | nindent 4 }}
spec:
  replicas: {{ index .root.Values.pod.replicas .component }}
  revisionHistoryLimit: 3
  selector:
    matchLabels: {{- include "lib.selector" . | nindent 6 }}
  template: {{- include "lib.pod" . | nindent 4 }}
{{- end }}

{{- define "lib.statefulset" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .name }}
  labels: {{- include "lib.labels" . | nindent 4 }}
spec:
  serviceName: {{ .name }}
  replicas: {{ index .root.Values.pod.replicas .component }}
  revisionHistoryLimit: 3
  podManagementPolicy: Parallel
  selector:
    matchLabels: {{- include "lib.selector" . | nindent 6 }}
  template: {{- include "lib.pod" . | nindent 4 }}
{{- end }}

{{/* A job's name carries the hash of all it does: a changed job is a new one beside the old, never an edit. */}}
{{- define "lib.job" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  labels: {{- include "lib.labels" . | nindent 4 }}
spec:
  backoffLimit: {{ .root.Values.jobs.backoffLimit }}
  activeDeadlineSeconds: {{ .root.Values.jobs.limitSeconds }}
  template: {{- include "lib.pod" (merge (dict "restartPolicy" "OnFailure") .) | nindent 4 }}
{{- end }}

{{- define "lib.pod" -}}
metadata:
  labels: {{- include "lib.labels" . | nindent 4 }}
  {{- with .checksums }}
  annotations:
    {{- range $name, $text := . }}
    checksum/{{ $name }}: {{ include "lib.hash" $text | quote }}
    {{- end }}
  {{- end }}
spec:
  {{- with .restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with index .root.Values.labels .component }}
  nodeSelector:
    {{ .node_selector_key }}: {{ .node_selector_value | quote }}
  {{- end }}
  enableServiceLinks: false
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ .grace | default 10 }}
  securityContext:
    runAsUser: {{ .uid }}
    runAsGroup: {{ .uid }}
    fsGroup: {{ .uid }}
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- with .initContainers }}
  initContainers: {{- . | nindent 4 }}
  {{- end }}
  containers: {{- .containers | nindent 4 }}
  {{- with .volumes }}
  volumes: {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{/*
One container with no privilege at all and a root file system that it cannot write. Takes a dict:
  root, name, command (a list), env, ports, mounts (YAML text), image (a key of .Values.images.tags),
  resources (a key of .Values.pod.resources), probe (YAML text of the handler; readiness every second),
  liveness (true: the same handler, asked every ten seconds, ends the container after five minutes without answer)
*/}}
{{- define "lib.container" -}}
- name: {{ .name }}
  image: {{ index .root.Values.images.tags .image | quote }}
  imagePullPolicy: {{ .root.Values.images.pull_policy }}
  command: {{- toYaml .command | nindent 4 }}
  securityContext: {{- include "lib.confined" . | nindent 4 }}
  {{- with index .root.Values.pod.resources .resources }}
  resources: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .env }}
  env: {{- . | nindent 4 }}
  {{- end }}
  {{- with .ports }}
  ports: {{- . | nindent 4 }}
  {{- end }}
  {{- with .probe }}
  readinessProbe:
    {{- . | nindent 4 }}
    periodSeconds: 1
    timeoutSeconds: 3
    failureThreshold: 3
  {{- end }}
  {{- if .liveness }}
  livenessProbe:
    {{- .probe | nindent 4 }}
    initialDelaySeconds: 60
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 30
  {{- end }}
  {{- with .mounts }}
  volumeMounts: {{- . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "lib.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
{{- end }}
