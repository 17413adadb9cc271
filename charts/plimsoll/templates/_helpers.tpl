{{- define "plimsoll.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Full name of the release's objects. 48 characters leave room for the longest suffix in a label's 63. */}}
{{- define "plimsoll.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" }}
{{- else if contains (include "plimsoll.name" .) .Release.Name }}
{{- .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "plimsoll.name" .) | trunc 48 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What never changes over upgrades: a Deployment's selector is immutable. */}}
{{- define "plimsoll.selectorLabels" -}}
app.kubernetes.io/name: {{ include "plimsoll.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "plimsoll.labels" -}}
{{ include "plimsoll.selectorLabels" . }}
{{ include "plimsoll.releaseLabels" . }}
{{- end }}

{{- define "plimsoll.releaseLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Of the worker of one InferenceDeployment, by no label that its Service selects. Takes {worker, root}. */}}
{{- define "plimsoll.workerSelector" -}}
app.kubernetes.io/name: {{ include "plimsoll.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: job-worker
plimsoll.dev/jobs-of: {{ .worker.deployment }}
{{- end }}

{{- define "plimsoll.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "plimsoll.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.create is false: give the name of an existing one as serviceAccount.name" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "plimsoll.gpuProfilesName" -}}
{{ include "plimsoll.fullname" . }}-gpu-profiles
{{- end }}

{{- define "plimsoll.leaseName" -}}
{{ include "plimsoll.fullname" . }}
{{- end }}

{{/*
Not empty when the cluster runs an operator of this release that elects no leader: one from before there was a Lease.
`helm template` and GitOps tools see no cluster; README.md says what to do there.
*/}}
{{- define "plimsoll.replacesOneWithoutLease" -}}
{{- $running := lookup "apps/v1" "Deployment" .Release.Namespace (include "plimsoll.fullname" .) }}
{{- if $running }}
{{- $variables := list }}
{{- range (index $running.spec.template.spec.containers 0).env }}
{{- $variables = append $variables .name }}
{{- end }}
{{- if not (has "PLIMSOLL_LEASE_NAME" $variables) }}true{{ end }}
{{- end }}
{{- end }}

{{/* Reference of an image. Takes {image, root}. */}}
{{- define "plimsoll.image" -}}
{{- if .image.digest }}
{{- printf "%s@%s" .image.repository .image.digest }}
{{- else }}
{{- printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) }}
{{- end }}
{{- end }}

{{/* Port of a URL, also where it is the scheme's own. */}}
{{- define "plimsoll.portOf" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") -}}
{{- end }}

{{/* Secrets for Prometheus by the folder that each is mounted in, with the keys that are read. */}}
{{- define "plimsoll.prometheusSecrets" -}}
{{- $secrets := dict -}}
{{- with .Values.prometheus -}}
{{- if .url -}}
{{- if .bearerTokenSecret }}{{ $_ := set $secrets "token" (dict "name" .bearerTokenSecret "keys" (list "token")) }}{{ end -}}
{{- if .basicAuthSecret }}{{ $_ := set $secrets "basic-auth" (dict "name" .basicAuthSecret "keys" (list "username" "password")) }}{{ end -}}
{{- if .caSecret }}{{ $_ := set $secrets "ca" (dict "name" .caSecret "keys" (list "ca.crt")) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end }}
