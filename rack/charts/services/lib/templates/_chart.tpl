{{/*
A whole chart out of its description: `lib.chart` reads the template `CHART.spec` as YAML and makes all objects of it.

  user          the numeric user and group of the chart's pods
  conf          files of configuration, by name:
                  values     the key of .Values.conf whose sections it holds
                  computed   sections that are found out; what the values say goes before
                  identity   sections that hold the service's own account at Keystone
                  text       the whole text instead
                  path       where it is mounted, /etc/CHART/NAME by default
  openstack     true: an OpenStack service, whose pods get the library's scripts and Python's environment
  agents        true: also the library's scripts for agents on hosts
  database      names and connections (variable: name); by default both are the chart's name, and the variable
                OS_DATABASE__CONNECTION. One more, CHART_jobs, records which jobs are done
  migrate       the job that fills the database, see _openstack.tpl
  register      the service's entries in the catalog: a list of {type, name}
  domain        a domain of the service's own, for users that it makes: {name, admin, roles}
  components    the workloads, by name: see _workload.tpl

Beside the template, `files/` are scripts, mounted at /opt/pilotlight.
*/}}

{{- define "lib.chart" -}}
{{- $spec := include (printf "%s.spec" .Chart.Name) . | fromYaml }}
{{- with $spec.Error }}{{ fail (printf "%s.spec is not YAML: %s" $.Chart.Name .) }}{{ end }}
{{- $chart := dict "root" . "name" .Chart.Name "spec" $spec "job" "" }}
{{- $_ := include "lib.readConf" $chart }}
{{- $_ := include "lib.readScripts" $chart }}
{{- if $spec.migrate }}{{ $_ := include "lib.nameJob" $chart }}{{ end }}
{{- $documents := list }}
{{- with $chart.texts }}
{{- $documents = append $documents (include "lib.configmap" (dict "chart" $chart "component" "config" "name" (printf "%s-etc" $chart.name) "files" .)) }}
{{- end }}
{{- with $chart.scripts }}
{{- $documents = append $documents (include "lib.configmap" (dict "chart" $chart "component" "config" "name" (printf "%s-bin" $chart.name) "files" .)) }}
{{- end }}
{{- if $spec.migrate }}
{{- $documents = append $documents (include "lib.job" (dict "chart" $chart "name" $chart.job "component" "db-sync" "it" $chart.jobSpec)) }}
{{- end }}
{{- $inside := dict }}
{{- if $spec.migrate }}{{ $_ := set $inside "db-sync" dict }}{{ end }}
{{- range $component, $it := $spec.components }}
{{- if not ($it.pod | default dict).hostNetwork }}{{ $_ := set $inside $component $it }}{{ end }}
{{- end }}
{{- if $inside }}{{ $documents = append $documents (include "lib.policy" (dict "chart" $chart "components" $inside)) }}{{ end }}
{{- range $component, $it := $spec.components }}
{{- $one := dict "chart" $chart "component" $component "it" $it "name" ($it.name | default (printf "%s-%s" $chart.name $component)) }}
{{- if $it.port }}{{ $documents = append $documents (include "lib.service" $one) }}{{ end }}
{{- $documents = append $documents (include (printf "lib.%s" (lower ($it.kind | default "Deployment"))) $one) }}
{{- if ne ($it.kind | default "Deployment") "DaemonSet" }}{{ $documents = append $documents (include "lib.disruption" $one) }}{{ end }}
{{- end }}
{{- join "\n---\n" $documents }}
{{- end }}

{{/* Puts into the chart: `texts`, `paths` and `sections` (as data) of its configuration, by file name. */}}
{{- define "lib.readConf" -}}
{{- $texts := dict }}{{- $paths := dict }}{{- $sections := dict }}
{{- range $name, $file := .spec.conf }}
{{- $_ := set $paths $name ($file.path | default (printf "/etc/%s/%s" $.name $name)) }}
{{- if $file.text }}
{{- $_ := set $texts $name $file.text }}
{{- else }}
{{- $layers := list }}
{{- range $group := $file.identity }}
{{- $layers = append $layers (dict $group (include "lib.account" (dict "chart" $ "group" $group) | fromYaml)) }}
{{- end }}
{{- $values := $.root.Values.conf }}
{{- range splitList "." ($file.values | default "") }}{{ if . }}{{ $values = index $values . }}{{ end }}{{ end }}
{{- $layers = concat $layers (list ($file.computed | default dict) $values) }}
{{- $_ := set $sections $name (include "lib.layered" $layers | fromYaml) }}
{{- $_ := set $texts $name (include "lib.ini" (get $sections $name)) }}
{{- end }}
{{- end }}
{{- $_ := set . "texts" $texts }}{{- $_ := set . "paths" $paths }}{{- $_ := set . "sections" $sections }}
{{- end }}

{{/* Puts into the chart: `scripts` by file name, the library's own among them for a service of OpenStack. */}}
{{- define "lib.readScripts" -}}
{{- $scripts := dict }}
{{- $library := .root.Subcharts.lib.Files }}
{{- $sources := list (list .root.Files "files/*") }}
{{- if .spec.openstack }}{{ $sources = prepend $sources (list $library "files/*") }}{{ end }}
{{- if .spec.agents }}{{ $sources = prepend $sources (list $library "files/agents/*") }}{{ end }}
{{- range $source := $sources }}
{{- $files := first $source }}
{{- range $path, $_ := $files.Glob (last $source) }}
{{- $_ := set $scripts (base $path) ($files.Get $path) }}
{{- end }}
{{- end }}
{{- $_ := set . "scripts" $scripts }}
{{- end }}
