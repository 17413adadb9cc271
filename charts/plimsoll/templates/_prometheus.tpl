{{/* How the operator reaches Prometheus: environment, and one volume that holds every file of a Secret. */}}

{{- define "plimsoll.prometheus.directory" -}}/etc/plimsoll/prometheus{{- end }}

{{/* Fails on settings that contradict each other; a schema's message could not say what to do. */}}
{{- define "plimsoll.prometheus.validate" -}}
{{- with .Values.prometheus }}
{{- $basic := or .auth.basic.username .auth.basic.passwordSecret.name }}
{{- if and .auth.bearerTokenSecret.name $basic }}
{{- fail "prometheus.auth: expected bearerTokenSecret or basic, found both; leave one of them empty" }}
{{- end }}
{{- if and $basic (not (and .auth.basic.username .auth.basic.passwordSecret.name)) }}
{{- fail "prometheus.auth.basic: expected username and passwordSecret.name, found only one of them; give both or neither" }}
{{- end }}
{{- if and .tls.insecureSkipVerify .tls.caSecret.name }}
{{- fail "prometheus.tls: expected caSecret or insecureSkipVerify, found both; a certificate that is not verified needs no authority" }}
{{- end }}
{{- $settings := or .tls.insecureSkipVerify .tls.caSecret.name .tls.clientCertSecret.name .auth.bearerTokenSecret.name $basic }}
{{- if and (not .url) $settings }}
{{- fail "prometheus.url: expected the address that prometheus.tls and prometheus.auth are for, found none; set it" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "plimsoll.prometheus.env" -}}
{{- $directory := include "plimsoll.prometheus.directory" . }}
{{- with .Values.prometheus }}
{{- if .url }}
- name: PLIMSOLL_PROMETHEUS_URL
  value: {{ .url | quote }}
{{- end }}
{{- if .tls.insecureSkipVerify }}
- name: PLIMSOLL_PROMETHEUS_INSECURE_SKIP_VERIFY
  value: "true"
{{- end }}
{{- if .tls.caSecret.name }}
- name: PLIMSOLL_PROMETHEUS_CA_FILE
  value: {{ $directory }}/ca.crt
{{- end }}
{{- if .tls.clientCertSecret.name }}
- name: PLIMSOLL_PROMETHEUS_CERT_FILE
  value: {{ $directory }}/tls.crt
- name: PLIMSOLL_PROMETHEUS_KEY_FILE
  value: {{ $directory }}/tls.key
{{- end }}
{{- if .auth.bearerTokenSecret.name }}
- name: PLIMSOLL_PROMETHEUS_TOKEN_FILE
  value: {{ $directory }}/token
{{- end }}
{{- if .auth.basic.username }}
- name: PLIMSOLL_PROMETHEUS_USERNAME
  value: {{ .auth.basic.username | quote }}
- name: PLIMSOLL_PROMETHEUS_PASSWORD_FILE
  value: {{ $directory }}/password
{{- end }}
{{- end }}
{{- end }}

{{/* Sources of the projected volume; empty when Prometheus needs no file. */}}
{{- define "plimsoll.prometheus.sources" -}}
{{- with .Values.prometheus }}
{{- if .tls.caSecret.name }}
- secret:
    name: {{ .tls.caSecret.name }}
    items:
      - key: {{ .tls.caSecret.key }}
        path: ca.crt
{{- end }}
{{- if .tls.clientCertSecret.name }}
- secret:
    name: {{ .tls.clientCertSecret.name }}
    items:
      - key: {{ .tls.clientCertSecret.certKey }}
        path: tls.crt
      - key: {{ .tls.clientCertSecret.privateKeyKey }}
        path: tls.key
{{- end }}
{{- if .auth.bearerTokenSecret.name }}
- secret:
    name: {{ .auth.bearerTokenSecret.name }}
    items:
      - key: {{ .auth.bearerTokenSecret.key }}
        path: token
{{- end }}
{{- if .auth.basic.passwordSecret.name }}
- secret:
    name: {{ .auth.basic.passwordSecret.name }}
    items:
      - key: {{ .auth.basic.passwordSecret.key }}
        path: password
{{- end }}
{{- end }}
{{- end }}
