{{/*
Written by "npm run docs" from the tables of policies, timeouts, admission and hedging; do not edit.
Arguments that only Spillway's router has, where a key differs from its default. Takes routerSpec.
*/}}
{{- define "spillway.router-arguments" -}}
{{- $spec := . -}}
{{- if not (kindIs "invalid" $spec.kvAwareThreshold) }}
- "--kv-aware-threshold"
- {{ include "spillway.text" $spec.kvAwareThreshold | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.timeouts | default dict).connect)) (ne (include "spillway.text" ($spec.timeouts | default dict).connect) "5") }}
- "--connect-timeout"
- {{ include "spillway.text" ($spec.timeouts | default dict).connect | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.timeouts | default dict).firstByte)) (ne (include "spillway.text" ($spec.timeouts | default dict).firstByte) "auto") }}
- "--first-byte-timeout"
- {{ include "spillway.text" ($spec.timeouts | default dict).firstByte | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.timeouts | default dict).streamIdle)) (ne (include "spillway.text" ($spec.timeouts | default dict).streamIdle) "60") }}
- "--stream-idle-timeout"
- {{ include "spillway.text" ($spec.timeouts | default dict).streamIdle | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.timeouts | default dict).engineStall)) (ne (include "spillway.text" ($spec.timeouts | default dict).engineStall) "10") }}
- "--engine-stall-timeout"
- {{ include "spillway.text" ($spec.timeouts | default dict).engineStall | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.timeouts | default dict).engineWait)) (ne (include "spillway.text" ($spec.timeouts | default dict).engineWait) "5") }}
- "--engine-wait-timeout"
- {{ include "spillway.text" ($spec.timeouts | default dict).engineWait | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.timeouts | default dict).request)) (ne (include "spillway.text" ($spec.timeouts | default dict).request) "0") }}
- "--request-timeout"
- {{ include "spillway.text" ($spec.timeouts | default dict).request | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.timeouts | default dict).sseKeepAlive)) (ne (include "spillway.text" ($spec.timeouts | default dict).sseKeepAlive) "0") }}
- "--sse-keep-alive-interval"
- {{ include "spillway.text" ($spec.timeouts | default dict).sseKeepAlive | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.hedging | default dict).budget)) (ne (include "spillway.text" ($spec.hedging | default dict).budget) "0") }}
- "--hedge-budget"
- {{ include "spillway.text" ($spec.hedging | default dict).budget | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.admission | default dict).queueTimeout)) (ne (include "spillway.text" ($spec.admission | default dict).queueTimeout) "0") }}
- "--queue-timeout"
- {{ include "spillway.text" ($spec.admission | default dict).queueTimeout | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.admission | default dict).maxQueuedRequests)) (ne (include "spillway.text" ($spec.admission | default dict).maxQueuedRequests) "10000") }}
- "--max-queued-requests"
- {{ include "spillway.text" ($spec.admission | default dict).maxQueuedRequests | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.admission | default dict).saturationWait)) (ne (include "spillway.text" ($spec.admission | default dict).saturationWait) "2") }}
- "--saturation-wait"
- {{ include "spillway.text" ($spec.admission | default dict).saturationWait | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($spec.admission | default dict).holdTimeout)) (ne (include "spillway.text" ($spec.admission | default dict).holdTimeout) "0") }}
- "--hold-timeout"
- {{ include "spillway.text" ($spec.admission | default dict).holdTimeout | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" $spec.slowStart)) (ne (include "spillway.text" $spec.slowStart) "10") }}
- "--slow-start"
- {{ include "spillway.text" $spec.slowStart | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" $spec.engineTokenizeTimeout)) (ne (include "spillway.text" $spec.engineTokenizeTimeout) "0") }}
- "--engine-tokenize-timeout"
- {{ include "spillway.text" $spec.engineTokenizeTimeout | quote }}
{{- end }}
{{- if not (kindIs "invalid" $spec.drainDelay) }}
- "--drain-delay"
- {{ include "spillway.text" $spec.drainDelay | quote }}
{{- end }}
{{- with ($spec.tls | default dict).cert }}
- "--tls-cert"
- {{ . | quote }}
{{- end }}
{{- with ($spec.tls | default dict).key }}
- "--tls-key"
- {{ . | quote }}
{{- end }}
{{- with ($spec.tls | default dict).clientCa }}
- "--tls-client-ca"
- {{ . | quote }}
{{- end }}
{{- with ($spec.engineTls | default dict).ca }}
- "--engine-tls-ca"
- {{ . | quote }}
{{- end }}
{{- with ($spec.engineTls | default dict).cert }}
- "--engine-tls-cert"
- {{ . | quote }}
{{- end }}
{{- with ($spec.engineTls | default dict).key }}
- "--engine-tls-key"
- {{ . | quote }}
{{- end }}
{{- with ($spec.engineTls | default dict).serverName }}
- "--engine-tls-server-name"
- {{ . | quote }}
{{- end }}
{{- if not (kindIs "invalid" $spec.pickHeader) }}
- {{ ternary "--pick-header" "--no-pick-header" $spec.pickHeader | quote }}
{{- end }}
{{- with $spec.cacheSaltFrom }}
- "--cache-salt-from"
- {{ . | quote }}
{{- end }}
{{- if eq (toString $spec.migration) "false" }}
- "--no-migration"
{{- end }}
{{- range $spec.tokenizer }}
- "--tokenizer"
- {{ . | quote }}
{{- end }}
{{- end }}
