{{- define "whitewater.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters: an ordinal and the revision of the StatefulSet follow it, within 63. */}}
{{- define "whitewater.fullname" -}}
{{- $name := include "whitewater.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "whitewater.headless" -}}{{ include "whitewater.fullname" . }}-headless{{- end -}}

{{- define "whitewater.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "whitewater.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Selectors cannot be changed, so nothing is in them that may: (list root component). */}}
{{- define "whitewater.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "whitewater.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "whitewater.labels" -}}
{{- $root := index . 0 -}}
{{ include "whitewater.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: whitewater
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of an object: (list root component name [annotations [labels]]). */}}
{{- define "whitewater.metadata" -}}
{{- $root := index . 0 -}}
{{- $annotations := dict -}}
{{- if gt (len .) 3 }}{{ $annotations = index . 3 | default dict }}{{ end -}}
{{- $labels := dict -}}
{{- if gt (len .) 4 }}{{ $labels = index . 4 | default dict }}{{ end -}}
name: {{ index . 2 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "whitewater.labels" (list $root (index . 1)) | nindent 2 }}
  {{- with $labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) $annotations $root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "whitewater.image" -}}
{{- $registry := default .Values.image.registry .Values.global.imageRegistry -}}
{{- $name := .Values.image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $registry) $name }}{{ end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "whitewater.pullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* (list root value-of-patches template): the object of the template with the user's patch merged into it. */}}
{{- define "whitewater.patched" -}}
{{- $root := index . 0 -}}
{{- $object := include (index . 2) $root | fromYaml -}}
{{- if hasKey $object "Error" }}{{ fail (printf "%s is no YAML: %s" (index . 2) $object.Error) }}{{ end -}}
{{- toYaml (mergeOverwrite $object (index $root.Values.patches (index . 1) | deepCopy)) -}}
{{- end -}}

{{/* Host names of the members' client ports, for the Jobs: (list root count). */}}
{{- define "whitewater.endpoints" -}}
{{- $root := index . 0 -}}
{{- $full := include "whitewater.fullname" $root -}}
{{- $all := list -}}
{{- range $i := until (int (index . 1)) -}}
{{- $all = append $all (printf "%s-%d.%s.%s.svc:2379" $full $i (include "whitewater.headless" $root) $root.Release.Namespace) -}}
{{- end -}}
{{- join "," $all -}}
{{- end -}}
