{{- define "whitewater.scheduling" -}}
{{- $kube := .Capabilities.KubeVersion.Version -}}
{{- if .Values.affinity }}
affinity:
  {{- toYaml .Values.affinity | nindent 2 }}
{{- else if eq .Values.podAntiAffinityPreset "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "whitewater.selector" (list . "member") | nindent 12 }}
{{- else if eq .Values.podAntiAffinityPreset "soft" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "whitewater.selector" (list . "member") | nindent 14 }}
{{- end }}
{{- if or .Values.topologySpread.enabled .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- with .Values.topologySpread }}
  {{- if .enabled }}
  - topologyKey: {{ .topologyKey }}
    maxSkew: {{ .maxSkew }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "whitewater.selector" (list $ "member") | nindent 8 }}
    {{- if semverCompare ">=1.26.0-0" $kube }}
    nodeTaintsPolicy: {{ .nodeTaintsPolicy }}
    {{- end }}
    {{- if and .matchLabelKeys (semverCompare ">=1.27.0-0" $kube) }}
    matchLabelKeys:
      {{- toYaml .matchLabelKeys | nindent 6 }}
    {{- end }}
  {{- end }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}
