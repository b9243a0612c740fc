{{/*
What the services of OpenStack have in common.

The job `db-sync` of a chart has a container for each right: `db-init` knows the root of the database and makes the
service's own user, `db-sync` fills the database as that user, `register` is the cloud's admin and makes the service's
account and its entries in the catalog. All start at once; each waits for what it needs. `migrate` describes it:

  main, commands   the function that the commands are run by, each command a text
  script           or a script of the chart instead
  reads            sections of the configuration that the job depends on, beside [database]: a change runs it again
  env, secretEnv, volumes, mounts   for the container db-sync

A component says what it is given (`uses`) and what must be there before it starts to serve (`awaits`):

  database    its connections;            the job db-sync of this very chart is done
  messaging   the address of the queue;   the queue takes connections
  identity    its account's password;     Keystone knows the account

`awaits` also takes catalog:TYPE, a service that Keystone's catalog must have; queue:NAME, a queue of messages that
must have a consumer; the path of a socket; and HOST:PORT.

and how it starts, `serve`: main (module:function), as (its command line), import (modules that it would load later on).
It is imported first and waits then, so that imports overlap with the start of what it needs.
*/}}

{{/* The job's description and its name, put into the chart as `jobSpec` and `job`. */}}
{{- define "lib.nameJob" -}}
{{- $it := .spec.migrate }}
{{- $command := list "python3" (printf "/opt/pilotlight/%s" ($it.script | default "db_sync.py")) }}
{{- $containers := dict
  "db-init" (dict "image" "db_init" "resources" "jobs.db_init" "command" (list "bash" "/opt/pilotlight/db-init.sh") "conf" list "uses" (list "database-admin"))
  "db-sync" (dict "image" (printf "%s_db_sync" .name) "resources" "jobs.db_sync"
    "command" (concat $command (prepend ($it.commands | default list) $it.main | compact))
    "uses" (list "database" "messaging") "env" ($it.env | default dict) "secretEnv" ($it.secretEnv | default dict) "mounts" ($it.mounts | default list)) }}
{{- if .spec.register }}
{{- $_ := set $containers "register" (dict "image" "ks_user" "resources" "jobs.ks_user" "command" (list "python3" "/opt/pilotlight/register.py") "conf" list "uses" (list "identity-admin")) }}
{{- end }}
{{- $_ := set . "jobSpec" (dict "kind" "Job" "containers" $containers "volumes" ($it.volumes | default list)) }}
{{- $reads := list }}
{{- range $name, $sections := .sections }}
{{- range append ($it.reads | default list) "database" }}{{ $reads = append $reads (get $sections .) }}{{ end }}
{{- end }}
{{- $pod := include "lib.pod" (dict "chart" . "component" "db-sync" "name" "" "it" .jobSpec) }}
{{- $scripts := pick .scripts "db-init.sh" "wait.sh" "db_sync.py" "needs.py" "quick.py" "register.py" ($it.script | default "") }}
{{- $_ := set . "job" (printf "%s-db-sync-%s" .name (include "lib.hash" (cat $pod (toJson $scripts) (toJson $reads)))) }}
{{- end }}

{{/* The command of a service that is imported first and waits then. */}}
{{- define "lib.serve" -}}
{{- $it := .it.serve | required (printf "component %s has neither command nor serve" .component) }}
{{- $command := list "python3" "/opt/pilotlight/serve.py" }}
{{- with $it.import }}{{ $command = append $command (printf "--import=%s" (join "," .)) }}{{ end }}
{{- if .it.health }}{{ $command = append $command (printf "--health=%s" (include "lib.healthPort" .)) }}{{ end }}
{{- concat $command (list $it.main) $it.as | toJson }}
{{- end }}

{{/* The keys of a section that holds the service's account at Keystone, without its password: YAML text. */}}
{{- define "lib.account" -}}
{{- $root := .chart.root -}}
{{- $keystone := include "lib.internalUrl" (dict "root" $root "endpoint" "identity") -}}
auth_url: {{ $keystone }}
auth_type: password
username: {{ .chart.name }}
project_name: service
user_domain_id: default
project_domain_id: default
region_name: {{ $root.Values.endpoints.identity.auth.admin.region_name }}
{{- if eq .group "keystone_authtoken" }}
www_authenticate_uri: {{ $keystone }}
memcached_servers: {{ include "lib.memcached" $root }}
service_token_roles: service
service_token_roles_required: true
{{- end }}
{{- end }}

{{/* The sections of a uwsgi.ini that are the same for all: takes the port. The script is files/wsgi.py of the chart.
An http-socket ends every connection after its answer. Clients have to know, or one that sends its next request into
the end is cut off; so is one whose body was not read (post-buffering). */}}
{{- define "lib.uwsgi" -}}
{{- dict "uwsgi" (dict "plugins" "python3" "http-socket" (printf ":%d" .) "wsgi-file" "/opt/pilotlight/wsgi.py"
  "processes" 1 "threads" 4 "enable-threads" true "lazy-apps" true "need-app" true "die-on-term" true "buffer-size" 65535
  "post-buffering" 65535 "add-header" "Connection: close" "disable-logging" true) | toJson }}
{{- end }}

{{- define "lib.memcached" -}}
{{- $cache := .Values.endpoints.oslo_cache -}}
{{ $cache.hosts.default }}:{{ int $cache.port.memcache.default }}
{{- end }}

{{/* The variables of a container. $(NAME) is put in by the kubelet: addresses are in the open, passwords only in Secrets. */}}
{{- define "lib.env" -}}
{{- $values := .chart.root.Values }}
{{- $service := .chart.name }}
{{- $db := $values.endpoints.oslo_db }}
{{- $database := .chart.spec.database | default dict }}
{{- $names := $database.names | default (list $service) }}
{{- $password := dict "secret" (index $values.secrets.oslo_db $service | default (printf "%s-db" $service)) "key" "password" }}
{{- $account := dict "secret" (index $values.secrets.identity $service | default (printf "%s-keystone" $service)) "key" "password" }}
{{- $secret := dict }}{{- $plain := list }}
{{- $uses := .it.uses | default list }}
{{- $awaits := .it.awaits | default list }}
{{- if .chart.spec.openstack }}
{{- $plain = concat $plain (list (list "HOME" "/tmp") (list "LANG" "C.UTF-8") (list "PYTHONDONTWRITEBYTECODE" "1")) }}
{{- end }}
{{- if has "database-admin" $uses }}
{{- $_ := set $secret "DB_ROOT_PASSWORD" (dict "secret" $values.secrets.oslo_db.admin "key" "password") }}
{{- $_ := set $secret "DB_PASSWORD" $password }}
{{- $plain = concat $plain (list (list "DB_HOST" $db.hosts.default) (list "DB_PORT" (int $db.port.mysql.default | toString)) (list "DB_NAMES" (join " " $names)) (list "DB_USER" $service)) }}
{{- end }}
{{- if has "database" $uses }}
{{- $_ := set $secret "DB_PASSWORD" $password }}
{{- $url := printf "mysql+pymysql://%s:$(DB_PASSWORD)@%s:%d" $service $db.hosts.default (int $db.port.mysql.default) }}
{{- $plain = append $plain (list "JOBS_URL" (printf "%s/%s_jobs" $url $service)) }}
{{- range $variable, $name := $database.connections | default (dict "OS_DATABASE__CONNECTION" $service) }}
{{- $plain = append $plain (list $variable (printf "%s/%s?charset=utf8" $url $name)) }}
{{- end }}
{{- with .chart.job }}{{ $plain = append $plain (list "JOB_NAME" .) }}{{ end }}
{{- end }}
{{- if and (has "messaging" $uses) .chart.spec.messaging }}
{{- range $variable, $key := dict "RABBITMQ_USERNAME" "username" "RABBITMQ_PASSWORD" "password" }}
{{- $_ := set $secret $variable (dict "secret" $values.secrets.oslo_messaging.admin "key" $key) }}
{{- end }}
{{- $mq := $values.endpoints.oslo_messaging }}
{{- $plain = append $plain (list "OS_DEFAULT__TRANSPORT_URL" (printf "rabbit://$(RABBITMQ_USERNAME):$(RABBITMQ_PASSWORD)@%s:%d//" $mq.hosts.default (int $mq.port.amqp.default))) }}
{{- /* When a machine shuts down, the message queue ends at the same moment, and oslo.service would wait a minute for it. */}}
{{- $plain = append $plain (list "OS_DEFAULT__GRACEFUL_SHUTDOWN_TIMEOUT" (.it.grace | default 10 | int | toString)) }}
{{- end }}
{{- if has "identity" $uses }}
{{- $_ := set $secret "SERVICE_PASSWORD" $account }}
{{- $plain = append $plain (list "SERVICE_USER" $service) }}
{{- $plain = append $plain (list "KEYSTONE_URL" (include "lib.internalUrl" (dict "root" .chart.root "endpoint" "identity"))) }}
{{- range $_, $file := .chart.spec.conf }}
{{- range $file.identity }}
{{- $plain = append $plain (list (printf "OS_%s__PASSWORD" (upper .)) "$(SERVICE_PASSWORD)") }}
{{- end }}
{{- end }}
{{- end }}
{{- if has "identity-admin" $uses }}
{{- $admin := $values.endpoints.identity.auth.admin }}
{{- $_ := set $secret "ADMIN_PASSWORD" (dict "secret" $values.secrets.identity.admin "key" "password") }}
{{- $_ := set $secret "SERVICE_PASSWORD" $account }}
{{- $plain = append $plain (list "SERVICE_USER" $service) }}
{{- $plain = append $plain (list "KEYSTONE_URL" (include "lib.internalUrl" (dict "root" .chart.root "endpoint" "identity"))) }}
{{- $plain = concat $plain (list (list "ADMIN_USER" $admin.username) (list "ADMIN_PROJECT" $admin.project_name) (list "REGION" $admin.region_name) (list "CATALOG" (include "lib.catalog" .))) }}
{{- with .chart.spec.domain }}
{{- $_ := set $secret "DOMAIN_PASSWORD" (dict "secret" $values.secrets.identity.domain "key" "password") }}
{{- $plain = append $plain (list "DOMAIN" (dict "name" .name "admin" .admin "roles" (.roles | default list) | toJson)) }}
{{- end }}
{{- end }}
{{- $needs := list }}
{{- range $need := $awaits }}
{{- if eq $need "messaging" }}
{{- $need = printf "%s:%d" $values.endpoints.oslo_messaging.hosts.default (int $values.endpoints.oslo_messaging.port.amqp.default) }}
{{- end }}
{{- $needs = append $needs $need }}
{{- end }}
{{- with $needs }}{{ $plain = append $plain (list "NEEDS" (join " " .)) }}{{ end }}
{{- range $variable, $from := merge dict (.it.secretEnv | default dict) $secret }}
- name: {{ $variable }}
  valueFrom: { secretKeyRef: { name: {{ $from.secret }}, key: {{ $from.key | quote }} } }
{{- end }}
{{- with .it.rawEnv }}
{{ toYaml . }}
{{- end }}
{{- range $plain }}
- { name: {{ first . }}, value: {{ last . | quote }} }
{{- end }}
{{- range $variable, $text := .it.env | default dict }}
- { name: {{ $variable }}, value: {{ $text | quote }} }
{{- end }}
{{- end }}

{{/* What `register` puts into the catalog: JSON text. */}}
{{- define "lib.catalog" -}}
{{- $catalog := list }}
{{- range $it := .chart.spec.register }}
{{- $where := dict "root" $.chart.root "endpoint" ($it.endpoint | default $it.type | replace "-" "_") "component" ($it.component | default "api") }}
{{- $internal := include "lib.internalUrl" $where }}
{{- $catalog = append $catalog (dict "type" $it.type "name" ($it.name | default $.chart.name)
  "urls" (dict "public" (include "lib.publicUrl" $where) "internal" $internal "admin" $internal)) }}
{{- end }}
{{- toJson $catalog }}
{{- end }}
