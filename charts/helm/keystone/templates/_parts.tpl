{{/* Addresses, computed from .Values.endpoints: never typed twice. */}}

{{- define "keystone.internalUrl" -}}
{{- $it := .Values.endpoints.identity -}}
{{ $it.scheme.default }}://{{ $it.hosts.default }}.{{ .Release.Namespace }}.svc.{{ .Values.endpoints.cluster_domain_suffix }}:{{ int $it.port.api.default }}{{ $it.path.default }}
{{- end }}

{{- define "keystone.publicUrl" -}}
{{- $it := .Values.endpoints.identity -}}
{{- with $it.host_fqdn_override.public -}}
{{- $port := ternary $.Values.network.api.node_port.port $it.port.api.default $.Values.network.api.node_port.enabled -}}
{{ $it.scheme.default }}://{{ . }}:{{ int $port }}{{ $it.path.default }}
{{- else -}}
{{ include "keystone.internalUrl" . }}
{{- end }}
{{- end }}

{{- define "keystone.conf" -}}
{{- $cache := .Values.endpoints.oslo_cache }}
{{- $servers := printf "%s:%d" $cache.hosts.default (int $cache.port.memcache.default) }}
{{- $found := dict "cache" (dict "memcache_servers" $servers) }}
{{- include "lib.ini" (merge (deepCopy .Values.conf.keystone) $found) }}
{{- end }}

{{/* The options of uWSGI; a true becomes the bare word. */}}
{{- define "keystone.uwsgi" -}}
[uwsgi]
plugins = python3
http-socket = :{{ int .Values.endpoints.identity.port.api.default }}
wsgi-file = /opt/pilotlight/wsgi.py
{{- range $key, $value := .Values.conf.keystone_api_wsgi.uwsgi }}
{{ $key }} = {{ include "lib.scalar" $value }}
{{- end }}
{{- end }}

{{/* $(DB_PASSWORD) is put in by the kubelet: the address is in the open, the password only in the Secret. */}}
{{- define "keystone.databaseEnv" -}}
{{- $db := .Values.endpoints.oslo_db -}}
{{ include "lib.secretEnv" (dict "name" "DB_PASSWORD" "secret" .Values.secrets.oslo_db.keystone "key" "password") }}
- name: OS_DATABASE__CONNECTION
  value: mysql+pymysql://{{ $db.auth.keystone.username }}:$(DB_PASSWORD)@{{ $db.hosts.default }}:{{ int $db.port.mysql.default }}{{ $db.path }}?charset=utf8
{{- end }}

{{- define "keystone.pythonEnv" -}}
- { name: HOME, value: /tmp }
- { name: PYTHONDONTWRITEBYTECODE, value: "1" }
- { name: LANG, value: C.UTF-8 }
{{- end }}

{{- define "keystone.dbInitEnv" -}}
{{- $db := .Values.endpoints.oslo_db -}}
{{ include "lib.secretEnv" (dict "name" "DB_ROOT_PASSWORD" "secret" .Values.secrets.oslo_db.admin "key" "password") }}
{{ include "lib.secretEnv" (dict "name" "DB_PASSWORD" "secret" .Values.secrets.oslo_db.keystone "key" "password") }}
- { name: DB_HOST, value: {{ $db.hosts.default }} }
- { name: DB_PORT, value: {{ int $db.port.mysql.default | quote }} }
- { name: DB_NAME, value: {{ trimPrefix "/" $db.path }} }
- { name: DB_USER, value: {{ $db.auth.keystone.username }} }
{{- end }}

{{- define "keystone.bootstrapEnv" -}}
{{- $admin := .Values.endpoints.identity.auth.admin -}}
{{ include "keystone.pythonEnv" . }}
{{ include "keystone.databaseEnv" . }}
{{ include "lib.secretEnv" (dict "name" "OS_BOOTSTRAP_PASSWORD" "secret" .Values.secrets.identity.admin "key" "password") }}
- { name: OS_BOOTSTRAP_USERNAME, value: {{ $admin.username }} }
- { name: OS_BOOTSTRAP_PROJECT_NAME, value: {{ $admin.project_name }} }
- { name: OS_BOOTSTRAP_REGION_ID, value: {{ $admin.region_name }} }
- { name: OS_BOOTSTRAP_PUBLIC_URL, value: {{ include "keystone.publicUrl" . | quote }} }
- { name: OS_BOOTSTRAP_INTERNAL_URL, value: {{ include "keystone.internalUrl" . | quote }} }
- { name: OS_BOOTSTRAP_ADMIN_URL, value: {{ include "keystone.internalUrl" . | quote }} }
{{- end }}

{{- define "keystone.volumes" }}
- name: scripts
  configMap: { name: keystone-bin }
- name: tmp
  emptyDir: {}
- name: etc
  projected:
    defaultMode: 0440
    sources:
      - configMap: { name: keystone-etc }
      - secret:
          name: {{ .Values.secrets.fernet_keys }}
          items: [{ key: "0", path: fernet-keys/0 }, { key: "1", path: fernet-keys/1 }]
      - secret:
          name: {{ .Values.secrets.credential_keys }}
          items: [{ key: "0", path: credential-keys/0 }, { key: "1", path: credential-keys/1 }]
{{- end }}

{{- define "keystone.mounts" }}
- { name: scripts, mountPath: /opt/pilotlight }
- { name: etc, mountPath: /etc/keystone }
- { name: tmp, mountPath: /tmp }
{{- end }}

{{- define "keystone.dbInitMounts" }}
- { name: scripts, mountPath: /opt/pilotlight }
- { name: tmp, mountPath: /tmp }
{{- end }}
