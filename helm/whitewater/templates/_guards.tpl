{{/* What would install and then not work, or lose data later, is refused here, with the reason. */}}
{{- define "whitewater.guards" -}}
{{- $n := int .Values.replicaCount -}}
{{- $expect := int (include "whitewater.expect" .) -}}
{{- $live := include "whitewater.liveExpect" . -}}
{{- $stated := .Values.bootstrap.expect -}}
{{- if and $live $stated (ne (int $live) (int $stated)) -}}
{{- fail (printf "bootstrap.expect: this cluster was installed with %s and cannot be founded again with %d. The number of members is replicaCount; leave bootstrap.expect as it was" $live (int $stated)) -}}
{{- end -}}
{{- if and .Release.IsInstall (not $live) (gt $expect $n) -}}
{{- fail (printf "bootstrap.expect: %d members have to agree to found a cluster, but replicaCount starts only %d, so it would wait for ever. Install with replicaCount: %d" $expect $n $expect) -}}
{{- end -}}
{{- if and (eq $expect 1) (not .Values.bootstrap.single) -}}
{{- fail "replicaCount: one member alone survives no failure, and a cluster of one is only founded where that is meant. Set bootstrap.single: true, or replicaCount: 3" -}}
{{- end -}}
{{- if and .Values.bootstrap.single (gt $expect 1) -}}
{{- fail (printf "bootstrap.single: contradicts %d founders; it is for an installation with replicaCount: 1" $expect) -}}
{{- end -}}
{{- if and .Values.bootstrap.token .Values.bootstrap.existingSecret.name -}}
{{- fail "bootstrap.token: stated here and by bootstrap.existingSecret.name; only one of them can be meant" -}}
{{- end -}}
{{- if and (include "whitewater.isScalingIn" .) (not .Values.scaleIn.enabled) -}}
{{- if lt $n (add (div (int (include "whitewater.liveReplicas" .)) 2) 1 | int) -}}
{{- fail (printf "replicaCount: from %s to %d members at once leaves no majority, and scaleIn.enabled is false. Let the chart take the members out (scaleIn.enabled: true), or run `whitewater scale --to %d` first" (include "whitewater.liveReplicas" .) $n $n) -}}
{{- end -}}
{{- end -}}
{{- if .Values.podDisruptionBudget.enabled -}}
{{- $most := div (sub $n 1) 2 | int -}}
{{- if gt (int (include "whitewater.disruptions" .)) $most -}}
{{- fail (printf "podDisruptionBudget.maxUnavailable: %s of %d members may be evicted at once, and a majority has to stay: at most %d" (include "whitewater.disruptions" .) $n $most) -}}
{{- end -}}
{{- end -}}
{{- if .Values.drain.enabled -}}
{{- $needed := add (int .Values.drain.timeoutSeconds) (int .Values.drain.delaySeconds) 10 | int -}}
{{- if gt $needed (int .Values.terminationGracePeriodSeconds) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d s end before drain.timeoutSeconds, drain.delaySeconds and the 10 s of the server's own stop are over; at least %d" (int .Values.terminationGracePeriodSeconds) $needed) -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.seccomp.profile "Localhost") (not .Values.seccomp.localhostProfile) -}}
{{- fail "seccomp.localhostProfile: the profile Localhost needs the name of a file below the kubelet's seccomp folder" -}}
{{- end -}}
{{- if and (ne .Values.seccomp.profile "Localhost") .Values.seccomp.localhostProfile -}}
{{- fail (printf "seccomp.localhostProfile: is not used with seccomp.profile: %s; set it to Localhost" .Values.seccomp.profile) -}}
{{- end -}}
{{- if and .Values.service.leader.enabled (ne .Values.discovery.mode "kubernetes") -}}
{{- fail (printf "service.leader.enabled: members tell who leads by a label of their pods, which they only set with discovery.mode: kubernetes; it is %s" .Values.discovery.mode) -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.metrics.podMonitor.enabled -}}
{{- fail "metrics: with a ServiceMonitor and a PodMonitor each member is scraped twice, and sums over members are wrong. Enable one of them" -}}
{{- end -}}
{{- $set := list "POD_NAME" "POD_IP" "WHITEWATER_POD_UID" "NAMESPACE" "SERVICE_NAME" "SERVICE_PORT_NAME" "LABEL_SELECTOR" "PEERS_FILE" "WHITEWATER_CONFIG" "WHITEWATER_DATA_DIR" "WHITEWATER_DISCOVERY" "WHITEWATER_LISTEN" "WHITEWATER_LISTEN_CLIENT" "WHITEWATER_ENDPOINTS" "WHITEWATER_DRAIN_DELAY_MS" "WHITEWATER_KUBERNETES_FOLDER" "WHITEWATER_REJOIN_REMOVED" "WHITEWATER_BOOTSTRAP_EXPECT" "WHITEWATER_BOOTSTRAP_SINGLE" "WHITEWATER_BOOTSTRAP_TOKEN" -}}
{{- range .Values.extraEnv -}}
{{- if has .name $set -}}
{{- fail (printf "extraEnv: %s is set by the chart; use the value that stands for it" .name) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" -}}
{{- if or (hasKey $.Values.commonLabels $key) (hasKey $.Values.podLabels $key) -}}
{{- fail (printf "commonLabels, podLabels: %s is part of the selectors, by which members find each other" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
