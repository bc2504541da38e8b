{{- define "sallyport.labels" -}}
app.kubernetes.io/name: sallyport
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "sallyport.image" -}}
{{- required "image is needed: the sidecar's, best by digest" .Values.image -}}
{{- end }}

{{- define "sallyport.hasAlways" -}}
{{- if or .Values.always.allow .Values.always.deny .Values.always.logSkip }}true{{ end -}}
{{- end }}

{{- /* The injector's settings file: deploy/inject/settings.schema.json. */ -}}
{{- define "sallyport.settings" -}}
image: {{ include "sallyport.image" . }}
imagePullPolicy: {{ .Values.imagePullPolicy }}
sidecarUser: {{ int64 .Values.sidecar.user }}
workloadUser: {{ int64 .Values.sidecar.workloadUser }}
resources: {{- toYaml .Values.sidecar.resources | nindent 2 }}
stateSize: {{ .Values.sidecar.stateSize }}
{{- with .Values.sidecar.settings }}
settings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.policy }}
policyConfigMap: {name: sallyport-policy, key: policy.json}
{{- end }}
{{- if include "sallyport.hasAlways" . }}
alwaysConfigMap: sallyport-always
{{- end }}
{{- if .Values.owner.jwks }}
ownerKeysConfigMap: {name: sallyport-owner-keys, key: jwks.json}
{{- end }}
{{- with .Values.sidecar.apiTokenSecret }}
apiTokenSecret: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.sidecar.caConfigMap }}
caConfigMap: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.sidecar.workloadIdentity }}
workloadIdentity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.sidecar.runtimeClasses }}
runtimeClasses: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Volume name to kind and source of every volume of the sidecar. */ -}}
{{- define "sallyport.volumes" -}}
- name: sallyport-state
  emptyDir: {sizeLimit: {{ .Values.sidecar.stateSize }}}
- name: sallyport-owner
  downwardAPI:
    items:
      - path: token
        fieldRef: {fieldPath: "metadata.annotations['sallyport.dev/owner-token']"}
{{- if .Values.policy }}
- name: sallyport-policy
  configMap: {name: sallyport-policy}
{{- end }}
{{- if .Values.owner.jwks }}
- name: sallyport-keys
  configMap: {name: sallyport-owner-keys}
{{- end }}
{{- with .Values.sidecar.caConfigMap }}
- name: sallyport-ca
  configMap: {name: {{ .name }}}
{{- end }}
{{- if include "sallyport.hasAlways" . }}
- name: sallyport-always
  configMap: {name: sallyport-always}
{{- end }}
{{- with .Values.sidecar.apiTokenSecret }}
- name: sallyport-api
  secret: {secretName: {{ .name }}, defaultMode: 292}
{{- end }}
{{- if .Values.sidecar.workloadIdentity }}
- name: sallyport-identity
  projected:
    sources:
      - serviceAccountToken: {audience: api://AzureADTokenExchange, expirationSeconds: 3600, path: token}
{{- end }}
{{- end }}

{{- /* The sidecar's variables that have a value. Those from the pod's own fields stand in sallyport.fields. */ -}}
{{- define "sallyport.variables" -}}
SALLYPORT_RUN_AS: {{ int64 .Values.sidecar.user | quote }}
SALLYPORT_STATE_DIR: /var/lib/sallyport/state
{{- if .Values.owner.jwks }}
SALLYPORT_OWNER_TOKEN_FILE: /var/run/sallyport/owner/token
SALLYPORT_OWNER_JWKS_FILE: /var/run/sallyport/keys/jwks.json
{{- end }}
{{- if .Values.policy }}
SALLYPORT_POLICY_FILE: /var/run/sallyport/policy/policy.json
{{- end }}
{{- with .Values.sidecar.caConfigMap }}
SALLYPORT_CA_FILE: /var/run/sallyport/ca/{{ .key | default "ca.pem" }}
{{- end }}
{{- with .Values.sidecar.apiTokenSecret }}
SALLYPORT_API_TOKEN_FILE: /var/run/sallyport/api/{{ .key | default "token" }}
{{- end }}
{{- if include "sallyport.hasAlways" . }}
SALLYPORT_ALWAYS_DIR: /var/run/sallyport/always
{{- end }}
{{- with .Values.sidecar.workloadIdentity }}
AZURE_CLIENT_ID: {{ .clientId | quote }}
AZURE_TENANT_ID: {{ .tenantId | quote }}
AZURE_AUTHORITY_HOST: {{ .authorityHost | default "https://login.microsoftonline.com/" }}
AZURE_FEDERATED_TOKEN_FILE: /var/run/sallyport/identity/token
{{- end }}
{{- range $name, $value := .Values.sidecar.settings }}
{{ $name }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{- define "sallyport.fields" -}}
POD_NAME: metadata.name
POD_NAMESPACE: metadata.namespace
POD_UID: metadata.uid
POD_IP: status.podIP
NODE_NAME: spec.nodeName
{{- end }}

{{- /* Where each volume is mounted. */ -}}
{{- define "sallyport.mounts" -}}
{{- range include "sallyport.volumes" . | fromYamlArray }}
{{- $folder := trimPrefix "sallyport-" .name }}
{{ .name }}: {{ if eq $folder "state" }}/var/lib/sallyport{{ else }}/var/run/sallyport/{{ $folder }}{{ end }}
{{- end }}
{{- end }}

{{- /* The sidecar, as `sallyport inject` makes it; a test compares the two. */ -}}
{{- define "sallyport.container" -}}
name: sallyport
image: {{ include "sallyport.image" . }}
imagePullPolicy: {{ .Values.imagePullPolicy }}
args: [run]
restartPolicy: Always
env:
{{- range $name, $path := include "sallyport.fields" . | fromYaml }}
  - name: {{ $name }}
    valueFrom: {fieldRef: {apiVersion: v1, fieldPath: {{ $path }}}}
{{- end }}
{{- range $name, $value := include "sallyport.variables" . | fromYaml }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
ports: [{name: sallyport-api, containerPort: 18080, protocol: TCP}]
startupProbe: {httpGet: {path: /healthz, port: 18080}, periodSeconds: 1, failureThreshold: 60}
readinessProbe: {httpGet: {path: /readyz, port: 18080}, periodSeconds: 5, failureThreshold: 3}
resources: {{- toYaml .Values.sidecar.resources | nindent 2 }}
securityContext:
  runAsUser: 0
  runAsGroup: 0
  runAsNonRoot: false
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL], add: [NET_ADMIN, SETUID, SETGID]}
  seccompProfile: {type: RuntimeDefault}
volumeMounts:
{{- range $name, $path := include "sallyport.mounts" . | fromYaml }}
  - {name: {{ $name }}, mountPath: {{ $path }}{{ if ne $name "sallyport-state" }}, readOnly: true{{ end }}}
{{- end }}
{{- end }}

{{- /* A value as a CEL expression: objects by their type in the API (`Object.spec.…`), the maps of quantities as maps. */ -}}
{{- define "sallyport.cel" -}}
{{- $type := .type -}}
{{- if kindIs "map" .value -}}
{{- $plain := has (last (splitList "." $type)) (list "requests" "limits") -}}
{{ if not $plain }}{{ $type }}{{ end }}{
{{- $value := .value -}}
{{- range $place, $key := keys .value | sortAlpha -}}
{{ if $place }}, {{ end }}{{ if $plain }}{{ toJson $key }}{{ else }}{{ $key }}{{ end }}: {{ include "sallyport.cel" (dict "value" (get $value $key) "type" (printf "%s.%s" $type $key)) }}
{{- end -}}
}
{{- else if kindIs "slice" .value -}}
[{{- range $place, $element := .value }}{{ if $place }}, {{ end }}{{ include "sallyport.cel" (dict "value" $element "type" $type) }}{{ end -}}]
{{- else if kindIs "string" .value -}}
{{ toJson .value }}
{{- else if kindIs "bool" .value -}}
{{ .value }}
{{- else -}}
{{ int64 .value }}
{{- end -}}
{{- end }}
