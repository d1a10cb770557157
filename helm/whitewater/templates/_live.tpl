{{/* What the cluster has now. Where templates are rendered without a cluster, `lookup` finds nothing and the answers are empty. */}}

{{- define "whitewater.liveReplicas" -}}
{{- $live := lookup "apps/v1" "StatefulSet" .Release.Namespace (include "whitewater.fullname" .) -}}
{{- if $live }}{{ int $live.spec.replicas }}{{ end -}}
{{- end -}}

{{- define "whitewater.liveExpect" -}}
{{- $live := lookup "apps/v1" "StatefulSet" .Release.Namespace (include "whitewater.fullname" .) -}}
{{- if $live -}}
{{- range $live.spec.template.spec.containers -}}
{{- if eq .name "whitewater" -}}
{{- range .env -}}
{{- if eq .name "WHITEWATER_BOOTSTRAP_EXPECT" }}{{ .value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The count that founded the cluster stays, whatever the number of members is later. */}}
{{- define "whitewater.expect" -}}
{{- $live := include "whitewater.liveExpect" . -}}
{{- if $live -}}
{{- $live -}}
{{- else -}}
{{- int (default .Values.replicaCount .Values.bootstrap.expect) -}}
{{- end -}}
{{- end -}}

{{/* "true" where members have to leave before the StatefulSet shrinks. */}}
{{- define "whitewater.isScalingIn" -}}
{{- $live := include "whitewater.liveReplicas" . -}}
{{- if and $live .Release.IsUpgrade (gt (int $live) (int .Values.replicaCount)) }}true{{ end -}}
{{- end -}}

{{- define "whitewater.disruptions" -}}
{{- $n := int .Values.replicaCount -}}
{{- if kindIs "invalid" .Values.podDisruptionBudget.maxUnavailable -}}
{{- ternary 1 0 (ge $n 3) -}}
{{- else -}}
{{- int .Values.podDisruptionBudget.maxUnavailable -}}
{{- end -}}
{{- end -}}
