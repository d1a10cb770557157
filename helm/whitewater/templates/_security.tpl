{{- define "whitewater.seccomp" -}}
seccompProfile:
  type: {{ .Values.seccomp.profile }}
  {{- with .Values.seccomp.localhostProfile }}
  localhostProfile: {{ . }}
  {{- end }}
{{- end -}}

{{- define "whitewater.podSecurity" -}}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
  {{- include "whitewater.seccomp" . | nindent 2 }}
{{- end -}}

{{/* The pods of Jobs and tests use no io_uring. */}}
{{- define "whitewater.jobSecurity" -}}
securityContext:
  {{- toYaml (omit .Values.podSecurityContext "fsGroup" "fsGroupChangePolicy") | nindent 2 }}
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "whitewater.containerSecurity" -}}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
{{- end -}}
