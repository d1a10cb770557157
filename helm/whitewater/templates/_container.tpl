{{/* The pod's identity, by the names of the Kubernetes guide. */}}
{{- define "whitewater.identityEnv" -}}
- name: POD_NAME
  valueFrom:
    fieldRef: {fieldPath: metadata.name}
- name: POD_IP
  valueFrom:
    fieldRef: {fieldPath: status.podIP}
- name: WHITEWATER_POD_UID
  valueFrom:
    fieldRef: {fieldPath: metadata.uid}
- name: NAMESPACE
  valueFrom:
    fieldRef: {fieldPath: metadata.namespace}
{{- end -}}

{{- define "whitewater.dnsEnv" -}}
- {name: SERVICE_NAME, value: {{ include "whitewater.headless" . | quote }}}
- {name: SERVICE_PORT_NAME, value: raft}
{{- end -}}

{{- define "whitewater.env" -}}
{{- $expect := int (include "whitewater.expect" .) -}}
{{ include "whitewater.identityEnv" . }}
- {name: WHITEWATER_DISCOVERY, value: {{ .Values.discovery.mode }}}
{{- if eq .Values.discovery.mode "dns" }}
{{ include "whitewater.dnsEnv" . }}
{{- else if eq .Values.discovery.mode "kubernetes" }}
- {name: LABEL_SELECTOR, value: {{ include "whitewater.selector" (list . "member") | replace ": " "=" | replace "\n" "," | quote }}}
- {name: WHITEWATER_KUBERNETES_FOLDER, value: {{ .Values.discovery.kubernetes.mountPath | quote }}}
{{- else }}
- {name: PEERS_FILE, value: /config/peers.json}
{{- end }}
- {name: WHITEWATER_CONFIG, value: /etc/whitewater/config.json}
- {name: WHITEWATER_DATA_DIR, value: /var/lib/whitewater}
- {name: WHITEWATER_LISTEN_CLIENT, value: {{ ternary (printf "[%s]:2379" .Values.clientListenAddress) (printf "%s:2379" .Values.clientListenAddress) (contains ":" .Values.clientListenAddress) | quote }}}
- {name: WHITEWATER_ENDPOINTS, value: {{ ternary "[::1]:2379" "127.0.0.1:2379" (contains ":" .Values.clientListenAddress) | quote }}}
- {name: WHITEWATER_DRAIN_DELAY_MS, value: {{ mul .Values.drain.delaySeconds 1000 | toString | quote }}}
- {name: WHITEWATER_REJOIN_REMOVED, value: {{ .Values.rejoinRemoved | toString | quote }}}
- {name: WHITEWATER_BOOTSTRAP_EXPECT, value: {{ $expect | toString | quote }}}
{{- if eq $expect 1 }}
- {name: WHITEWATER_BOOTSTRAP_SINGLE, value: "true"}
{{- end }}
{{- if .Values.bootstrap.existingSecret.name }}
- name: WHITEWATER_BOOTSTRAP_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .Values.bootstrap.existingSecret.name }}
      key: {{ .Values.bootstrap.existingSecret.key }}
{{- else if .Values.bootstrap.token }}
- {name: WHITEWATER_BOOTSTRAP_TOKEN, value: {{ .Values.bootstrap.token | quote }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (list name path settings): a probe of the kubelet. */}}
{{- define "whitewater.probe" -}}
{{- $settings := index . 2 -}}
{{- if $settings.enabled }}
{{ index . 0 }}:
  httpGet: {path: {{ index . 1 }}, port: raft, scheme: HTTP}
  {{- toYaml (omit $settings "enabled") | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "whitewater.container" -}}
name: whitewater
image: {{ include "whitewater.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if .Values.diagnosticMode.enabled }}
command: [sleep]
args: ["2147483647"]
{{- else if .Values.extraArgs }}
args:
  - serve
  {{- toYaml .Values.extraArgs | nindent 2 }}
{{- end }}
ports:
  - {name: raft, containerPort: 8090, protocol: TCP}
  - {name: client, containerPort: 2379, protocol: TCP}
env:
  {{- include "whitewater.env" . | nindent 2 }}
{{- with .Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if not .Values.diagnosticMode.enabled }}
{{- include "whitewater.probe" (list "startupProbe" "/startupz" .Values.probes.startup) }}
{{- include "whitewater.probe" (list "livenessProbe" "/livez" .Values.probes.liveness) }}
{{- include "whitewater.probe" (list "readinessProbe" "/readyz" .Values.probes.readiness) }}
{{- if and .Values.drain.enabled (gt (int .Values.replicaCount) 1) }}
lifecycle:
  preStop:
    exec:
      command: [whitewater, drain, --timeout, {{ .Values.drain.timeoutSeconds }}s]
{{- end }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "whitewater.containerSecurity" . }}
volumeMounts:
  - {name: data, mountPath: /var/lib/whitewater}
  - {name: settings, mountPath: /etc/whitewater, readOnly: true}
  {{- if eq .Values.discovery.mode "kubernetes" }}
  - {name: service-account, mountPath: {{ .Values.discovery.kubernetes.mountPath }}, readOnly: true}
  {{- else if eq .Values.discovery.mode "file" }}
  - {name: peers, mountPath: /config, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* File mode: looks for peers by DNS, and writes the file as a whole or fails. A majority suffices, or a node that is lost for good would keep
     every pod that restarts from starting. */}}
{{- define "whitewater.discoverContainer" -}}
{{- $majority := add (div (int .Values.replicaCount) 2) 1 -}}
name: discover-peers
image: {{ include "whitewater.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - discover
  - --method=dns
  - --min={{ default $majority (int .Values.discovery.file.minPeers) }}
  - --timeout={{ .Values.discovery.file.timeout }}
  - --output=/config/peers.json
env:
  {{- include "whitewater.identityEnv" . | nindent 2 }}
  {{- include "whitewater.dnsEnv" . | nindent 2 }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{ include "whitewater.containerSecurity" . }}
volumeMounts:
  - {name: peers, mountPath: /config}
{{- end -}}
