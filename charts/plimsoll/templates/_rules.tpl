{{/* The operator's rights where InferenceDeployments live. README.md says what each is for; keep both together. */}}
{{- define "plimsoll.operatorRules" -}}
- apiGroups: [plimsoll.dev]
  resources: [inferencedeployments]
  verbs: [get, list, watch]
- apiGroups: [plimsoll.dev]
  resources: [inferencedeployments/status]
  verbs: [patch]
- apiGroups: [plimsoll.dev]
  resources: [inferencedeployments/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments, controllerrevisions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments/scale]
  verbs: [patch]
- apiGroups: [""]
  resources: [services, serviceaccounts]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, create]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get]
- apiGroups: [""]
  resources: [events]
  verbs: [get, create, patch]
{{- end }}

{{/* A (Cluster)RoleBinding's reference to the role `name` of kind `kind`, and its subject. Takes {kind, name, root}. */}}
{{- define "plimsoll.bindingToOperator" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "plimsoll.serviceAccountName" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
