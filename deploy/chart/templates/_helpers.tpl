{{- define "presswork.labels" -}}
app.kubernetes.io/name: presswork
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "presswork.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}

{{- define "presswork.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "presswork.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Variables of a process: .root, .role (of its logins) and .uses, a list of: redis, s3, auditor, signing, ledger. */ -}}
{{- define "presswork.env" -}}
{{- $v := .root.Values -}}
- {name: PRESSWORK_DATABASE_URL, valueFrom: {secretKeyRef: {name: {{ (index $v.database .role).existingSecret }}, key: url}}}
- {name: PRESSWORK_LEDGER_ORIGIN, value: {{ $v.ledgerOrigin | quote }}}
- {name: PRESSWORK_TRUST_ANCHORS, value: /keys/public/anchors.pem}
- {name: PRESSWORK_LEDGER_VKEYS, value: /keys/public/ledger.vkeys}
{{- if has "redis" .uses }}
- {name: PRESSWORK_REDIS_URL, valueFrom: {secretKeyRef: {name: {{ $v.redis.existingSecret }}, key: url}}}
{{- end }}
{{- if has "auditor" .uses }}
- {name: PRESSWORK_AUDITOR_DATABASE_URL, valueFrom: {secretKeyRef: {name: {{ $v.database.auditor.existingSecret }}, key: url}}}
{{- end }}
{{- if has "s3" .uses }}
- {name: PRESSWORK_S3_BUCKET, value: {{ $v.s3.bucket | quote }}}
- {name: PRESSWORK_S3_REGION, value: {{ $v.s3.region | quote }}}
{{- with $v.s3.endpointUrl }}
- {name: PRESSWORK_S3_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with $v.s3.publicEndpointUrl }}
- {name: PRESSWORK_S3_PUBLIC_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with (index $v.s3 .role).existingSecret }}
- {name: PRESSWORK_S3_ACCESS_KEY_ID, valueFrom: {secretKeyRef: {name: {{ . }}, key: access-key-id}}}
- {name: PRESSWORK_S3_SECRET_ACCESS_KEY, valueFrom: {secretKeyRef: {name: {{ . }}, key: secret-access-key}}}
{{- end }}
{{- end }}
{{- if has "signing" .uses }}
- {name: PRESSWORK_SIGNING_CERTIFICATE, value: /keys/signing/signing.pem}
- {name: PRESSWORK_SIGNING_KEY, value: /keys/signing/signing.key}
{{- end }}
{{- if has "ledger" .uses }}
- {name: PRESSWORK_LEDGER_KEY, value: /keys/ledger/ledger.key}
{{- end }}
{{- if $v.keys.ca.existingSecret }}
- {name: AWS_CA_BUNDLE, value: /keys/ca/ca.crt}
- {name: PGSSLROOTCERT, value: /keys/ca/ca.crt}
- {name: SSL_CERT_FILE, value: /keys/ca/ca.crt}
{{- end }}
{{- range $name, $value := $v.settings }}
- {name: PRESSWORK_{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "presswork.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: public, mountPath: /keys/public, readOnly: true}
{{- if has "signing" .uses }}
- {name: signing, mountPath: /keys/signing, readOnly: true}
{{- end }}
{{- if has "ledger" .uses }}
- {name: ledger, mountPath: /keys/ledger, readOnly: true}
{{- end }}
{{- if .root.Values.keys.ca.existingSecret }}
- {name: ca, mountPath: /keys/ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "presswork.volumes" -}}
{{- $keys := .root.Values.keys -}}
- {name: tmp, emptyDir: {sizeLimit: 4Gi}}
- {name: public, secret: {secretName: {{ $keys.public.existingSecret }}, defaultMode: 0440}}
{{- if has "signing" .uses }}
- {name: signing, secret: {secretName: {{ $keys.signing.existingSecret }}, defaultMode: 0440}}
{{- end }}
{{- if has "ledger" .uses }}
- {name: ledger, secret: {secretName: {{ $keys.ledger.existingSecret }}, defaultMode: 0440}}
{{- end }}
{{- if $keys.ca.existingSecret }}
- {name: ca, secret: {secretName: {{ $keys.ca.existingSecret }}, defaultMode: 0440}}
{{- end }}
{{- end }}

{{- /* Probes of a process that serves /livez and /readyz on its metrics port. */ -}}
{{- define "presswork.probes" -}}
startupProbe: {httpGet: {path: /livez, port: metrics}, periodSeconds: 5, failureThreshold: 60}
livenessProbe: {httpGet: {path: /livez, port: metrics}, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5}
readinessProbe: {httpGet: {path: /readyz, port: metrics}, periodSeconds: 10, timeoutSeconds: 5}
{{- end }}

{{- /* Every queue of every pool, once. */ -}}
{{- define "presswork.queues" -}}
{{- $all := list -}}
{{- range .Values.workers }}{{- $all = concat $all (splitList "," (.queues | replace " " "")) }}{{- end -}}
{{- $all | uniq | join "," -}}
{{- end }}
