{{/* The parts of the router's pod. Each takes the root. */}}

{{/* The policy: spillway.routingLogic is for Spillway's router only. */}}
{{- define "spillway.router.policy" -}}
{{- .Values.spillway.routingLogic | default .Values.routerSpec.routingLogic -}}
{{- end }}

{{/*
Whether Spillway's router runs, with the image of spillway.image: instead of upstream's router, whose images these are.
Any other repository is run as it is, with upstream's flags. So is upstream's router where Spillway's lacks a setting.
*/}}
{{- define "spillway.router.is-own" -}}
{{- $isUpstream := has .Values.routerSpec.repository (list "lmcache/lmstack-router" "ghcr.io/vllm-project/production-stack/router") -}}
{{- if and $isUpstream (not .Values.routerSpec.digest) (not (include "spillway.router.lacks" .)) }}true{{ end -}}
{{- end }}

{{/* The setting that Spillway's router does not have yet, if the values ask for one. */}}
{{- define "spillway.router.lacks" -}}
{{- if eq .Values.routerSpec.serviceDiscovery "external-only" -}}
serviceDiscovery: external-only
{{- end -}}
{{- end }}

{{- define "spillway.router.image" -}}
{{- if include "spillway.router.is-own" . -}}
{{- include "spillway.own-image" . -}}
{{- else -}}
{{- include "spillway.image" .Values.routerSpec -}}
{{- end -}}
{{- end }}

{{/* How the router is reached: https with a certificate of its own. */}}
{{- define "spillway.router.scheme" -}}
{{- if and (include "spillway.router.is-own" .) (.Values.routerSpec.tls | default dict).cert }}https{{ else }}http{{ end -}}
{{- end }}

{{/* Whether there may be several router pods, which then share what they send. */}}
{{- define "spillway.router.has-peers" -}}
{{- $spec := .Values.routerSpec -}}
{{- if and (include "spillway.router.is-own" .) (or $spec.autoscaling.enabled (gt (int $spec.replicaCount) 1)) }}true{{ end -}}
{{- end }}

{{/* Engines of entries of kind url, as the router's static backends: url and model of each. */}}
{{- define "spillway.router.url-engines" -}}
{{- $engines := list -}}
{{- range $entry := .Values.servingEngineSpec.modelSpec -}}
{{- $it := dict "root" $ "entry" $entry -}}
{{- if and (ne (toString $entry.enabled) "false") (eq (include "spillway.engine.kind" $it) "url") -}}
{{- range $entry.urls }}{{ $engines = append $engines (dict "url" . "model" (include "spillway.engine.served-model" $it)) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $engines }}{{ toYaml $engines }}{{ end -}}
{{- end }}

{{/*
The arguments of disaggregated prefill. The label of a pod is the name of its entry; which engines prefill is in
extraArgs, as for upstream's router, or in the role of each entry's LMCache.
*/}}
{{- define "spillway.router.roles" -}}
{{- $settings := .Values.routerSpec.disaggregation | default dict }}
{{- $named := false }}
{{- range .Values.routerSpec.extraArgs }}{{ if hasPrefix "--prefill-model-labels" (toString .) }}{{ $named = true }}{{ end }}{{ end }}
{{- if not $named }}
{{- $roles := dict "prefill" list "decode" list }}
{{- range .Values.servingEngineSpec.modelSpec }}
{{- if ne (toString .enabled) "false" }}
{{- $lmcache := .lmcacheConfig | default dict }}
{{- if or (eq (toString $lmcache.kvRole) "kv_producer") (and (not $lmcache.kvRole) (eq (toString $lmcache.nixlRole) "sender")) }}
{{- $_ := set $roles "prefill" (append $roles.prefill .name) }}
{{- else if or (eq (toString $lmcache.kvRole) "kv_consumer") (eq (toString $lmcache.nixlRole) "receiver") }}
{{- $_ := set $roles "decode" (append $roles.decode .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- range $role, $names := $roles }}
- "--{{ $role }}-model-labels"
- {{ required (printf "routerSpec.routingLogic %s: no engine of modelSpec has the role %s; name the entries in routerSpec.extraArgs after --prefill-model-labels and --decode-model-labels, or set lmcacheConfig.kvRole to kv_producer or kv_consumer" (include "spillway.router.policy" $) $role) (join "," $names) | quote }}
{{- end }}
{{- end }}
{{- range $key, $flag := dict "prefillPolicy" "--prefill-policy" "decodePolicy" "--decode-policy" "remotePrefillTokensMin" "--remote-prefill-tokens-min" }}
{{- with get $settings $key }}
- {{ $flag | quote }}
- {{ include "spillway.text" . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "spillway.router.args" -}}
{{- $spec := .Values.routerSpec -}}
{{- $own := include "spillway.router.is-own" . -}}
{{- $discovery := $spec.serviceDiscovery | default "k8s" -}}
{{- $urls := include "spillway.router.url-engines" . | fromYamlArray -}}
- "--host"
- "0.0.0.0"
- "--port"
- {{ include "spillway.text" $spec.containerPort | quote }}
- "--service-discovery"
- {{ $discovery | quote }}
{{- if eq $discovery "k8s" }}
{{- if $urls }}{{ fail "modelSpec has engines at urls, which are not pods: set routerSpec.serviceDiscovery to static" }}{{ end }}
- "--k8s-namespace"
- {{ .Release.Namespace | quote }}
- "--k8s-service-discovery-type"
- {{ $spec.k8sServiceDiscoveryType | default "pod-ip" | quote }}
{{- $port := .Values.servingEngineSpec.containerPort }}
{{- if eq $spec.k8sServiceDiscoveryType "service-name" }}{{ $port = .Values.servingEngineSpec.servicePort | default $port }}{{ end }}
{{- if ne (include "spillway.text" $port) "8000" }}
- "--k8s-port"
- {{ include "spillway.text" $port | quote }}
{{- end }}
{{- if and .Values.servingEngineSpec.enableEngine .Values.servingEngineSpec.labels }}
- "--k8s-label-selector"
{{- $labels := list }}
{{- range $key, $value := .Values.servingEngineSpec.labels }}{{ $labels = append $labels (printf "%s=%s" $key $value) }}{{ end }}
- {{ join "," $labels | quote }}
{{- end }}
{{- else if eq $discovery "static" }}
{{- $backends := list }}{{ $models := list }}
{{- range $urls }}{{ $backends = append $backends .url }}{{ $models = append $models .model }}{{ end }}
- "--static-backends"
- {{ required "When using static service discovery, .Values.routerSpec.staticBackends is a required value" ($spec.staticBackends | default (join "," $backends)) | quote }}
- "--static-models"
- {{ required "When using static service discovery, .Values.routerSpec.staticModels is a required value" ($spec.staticModels | default (join "," $models)) | quote }}
{{- end }}
- "--routing-logic"
- {{ include "spillway.router.policy" . | quote }}
{{- if and $own (hasPrefix "disaggregated_prefill" (include "spillway.router.policy" .)) }}
{{- include "spillway.router.roles" . }}
{{- end }}
{{- $upstream := dict "prefixMinMatchLength" "--prefix-min-match-length" "sessionKey" "--session-key" "rootPath" "--root-path" "engineScrapeInterval" "--engine-stats-interval" "requestStatsWindow" "--request-stats-window" }}
{{- range $key, $flag := $upstream }}
{{- with get $spec $key }}
- {{ $flag | quote }}
- {{ include "spillway.text" . | quote }}
{{- end }}
{{- end }}
{{- if $own }}
{{- include "spillway.router-arguments" $spec }}
- "--shutdown-timeout"
- {{ include "spillway.text" $spec.drainSeconds | quote }}
{{- $peers := $spec.routerPeers | default list }}
{{- if include "spillway.router.has-peers" . }}
{{- if and (include "spillway.secret-kind" $spec.apiKey) (not (include "spillway.secret-kind" $spec.peersKey)) }}{{ fail "several routers that check an API key need a key for each other: set routerSpec.peersKey" }}{{ end }}
{{- $peers = append $peers (printf "%s://%s-router-peers:%s" (include "spillway.router.scheme" .) .Release.Name (include "spillway.text" $spec.containerPort)) }}
{{- end }}
{{- with $peers }}
- "--router-peers"
- {{ join "," . | quote }}
{{- end }}
{{- if not .Values.spillway.dashboard }}
- "--no-dashboard"
{{- end }}
{{- end }}
{{- range $spec.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- range $key, $flag := dict "lmcacheControllerPort" "--lmcache-controller-port" "lmcacheControllerReplyPort" "--lmcache-controller-reply-port" "lmcacheControllerHeartbeatPort" "--lmcache-controller-heartbeat-port" }}
{{- with get $spec $key }}
- {{ $flag | quote }}
- {{ include "spillway.text" . | quote }}
{{- end }}
{{- end }}
{{- if $spec.otel.endpoint }}
- "--otel-endpoint"
- {{ $spec.otel.endpoint | quote }}
- "--otel-service-name"
- {{ $spec.otel.serviceName | default "vllm-router" | quote }}
{{- if $spec.otel.secure }}
- "--otel-secure"
{{- end }}
{{- end }}
{{- end }}

{{- define "spillway.router.env" -}}
{{- $spec := .Values.routerSpec -}}
{{- $own := include "spillway.router.is-own" . -}}
{{- if $spec.hf_token }}
- name: HF_TOKEN
  {{- include "spillway.secret-source" (dict "root" . "secret" $spec.hf_token "key" "router_hf_token") | nindent 2 }}
{{- end }}
{{- if not $own }}
- name: PYTHONHASHSEED
  value: "123"
- name: LMCACHE_LOG_LEVEL
  value: {{ $spec.lmcacheConfig.logLevel | quote }}
{{- end }}
{{- if include "spillway.secret-kind" $spec.vllmApiKey }}
- name: VLLM_API_KEY
  {{- include "spillway.secret-source" (dict "root" . "secret" $spec.vllmApiKey "key" "") | nindent 2 }}
{{- else if and .Values.servingEngineSpec.enableEngine (include "spillway.secret-kind" .Values.servingEngineSpec.vllmApiKey) }}
- name: VLLM_API_KEY
  {{- include "spillway.secret-source" (dict "root" . "secret" .Values.servingEngineSpec.vllmApiKey "key" "vllmApiKey") | nindent 2 }}
{{- end }}
{{- if $own }}
{{- range $one := list (list "apiKey" "SPILLWAY_ROUTER_API_KEY" "router_api_key") (list "peersKey" "SPILLWAY_ROUTER_PEERS_KEY" "router_peers_key") }}
{{- $secret := get $spec (index $one 0) }}
{{- if include "spillway.secret-kind" $secret }}
- name: {{ index $one 1 }}
  {{- include "spillway.secret-source" (dict "root" $ "secret" $secret "key" (index $one 2)) | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
