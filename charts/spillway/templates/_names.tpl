{{/*
Refuses what Kubernetes would refuse as a name, with one that would do, before any object is created. Names of Services, volumes and
containers are labels of DNS, of at most 63 characters with what the chart adds. Takes the root.
*/}}
{{- define "spillway.names" -}}
{{- include "spillway.labels" . -}}
{{- $release := .Release.Name -}}
{{- $suffixes := list -}}
{{- range $entry := .Values.servingEngineSpec.modelSpec -}}
{{- $it := dict "root" $ "entry" $entry -}}
{{- if and $.Values.servingEngineSpec.enableEngine (include "spillway.engine.runs" $it) -}}
{{- /* The shortest name of an entry has one letter. */ -}}
{{- if include "spillway.engine.on-ray" $it }}{{ $suffixes = append $suffixes (list "RayCluster" "-m-raycluster" 53) }}{{ end -}}
{{- $suffixes = append $suffixes (list "Service" "-m-engine-service" 63) -}}
{{- end -}}
{{- end -}}
{{- if .Values.routerSpec.enableRouter }}{{ $suffixes = append $suffixes (list "Service" "-router-service" 63) }}{{ end -}}
{{- if .Values.cacheserverSpec.enabled }}{{ $suffixes = append $suffixes (list "Service" "-cache-server-service" 63) }}{{ end -}}
{{- if .Values.sharedPvcStorage.enabled }}{{ $suffixes = append $suffixes (list "volume" "-shared-pvc-storage" 63) }}{{ end -}}
{{- if .Values.spillway.gate.enabled }}{{ $suffixes = append $suffixes (list "CronJob" "-gate" 52) }}{{ end -}}
{{- range $suffixes -}}
{{- $room := sub (index . 2) (len (index . 1)) | int -}}
{{- if gt (len $release) $room -}}
{{- fail (printf "release %q is too long: %s %s%s may have at most %d characters. Name the release with at most %d characters, such as %q." $release (index . 0) $release (index . 1) (index . 2) $room (trunc $room $release | trimSuffix "-")) -}}
{{- end -}}
{{- end -}}
{{- if and $suffixes (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $release)) -}}
{{- fail (printf "release %q: names of Services begin with it, so it must have lower-case letters, digits and \"-\" only, and begin with a letter. Name the release %q." $release (include "spillway.names-label" (dict "name" (regexReplaceAll "^([^a-z])" $release "r${1}") "max" 40))) -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $index, $entry := .Values.servingEngineSpec.modelSpec -}}
{{- $it := dict "root" $ "entry" $entry -}}
{{- if and $.Values.servingEngineSpec.enableEngine (ne (include "spillway.engine.kind" $it) "url") (or (include "spillway.engine.runs" $it) (include "spillway.engine.has-claim" $it)) -}}
{{- $name := toString $entry.name -}}
{{- $at := printf "servingEngineSpec.modelSpec[%d].name %q" $index $name -}}
{{- if hasKey $seen $name -}}
{{- fail (printf "%s is the name of two entries; rename one of them, for example %q." $at (include "spillway.names-label" (dict "name" (printf "%s-%d" $name (add1 $index)) "max" 40))) -}}
{{- end -}}
{{- $_ := set $seen $name true -}}
{{- /* RELEASE-NAME-engine-service and the volume RELEASE-NAME-chat-templates; KubeRay bounds RELEASE-NAME-raycluster at 53. */ -}}
{{- $onRay := eq (include "spillway.engine.on-ray" $it) "true" -}}
{{- $room := max 1 (sub (ternary 41 47 $onRay) (len $release)) | int -}}
{{- if or (gt (len $name) $room) (not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" $name)) -}}
{{- fail (printf "%s cannot be part of names in Kubernetes: they have lower-case letters, digits and \"-\", and with release %q at most %d characters%s. Use %q, for example; clients use modelURL or --served-model-name, which stay." $at $release $room (ternary " with KubeRay" "" $onRay) (include "spillway.names-label" (dict "name" $name "max" $room))) -}}
{{- end -}}
{{- if and $entry.chatTemplate (hasKey $entry "chatTemplateConfigMap") -}}
{{- include "spillway.names-key" (dict "at" (printf "servingEngineSpec.modelSpec[%d].chatTemplate" $index) "key" $entry.chatTemplate) -}}
{{- end -}}
{{- range $key, $container := dict "initContainer" $entry.initContainer "raySpec.headNode.initContainer" ((($entry.raySpec | default dict).headNode | default dict).initContainer) -}}
{{- with $container -}}
{{- if or (has .name (list "vllm" "sidecar")) (gt (len .name) 63) (not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" .name)) -}}
{{- fail (printf "servingEngineSpec.modelSpec[%d].%s.name %q cannot be the name of an init container. Use %q, for example." $index $key .name (include "spillway.names-label" (dict "name" (printf "init-%s" .name) "max" 63))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key, $_ := .Values.servingEngineSpec.configs -}}
{{- include "spillway.names-key" (dict "at" "servingEngineSpec.configs" "key" $key) -}}
{{- end -}}
{{- range $index, $adapter := .Values.loraAdapters -}}
{{- if ne (toString $adapter.enabled) "false" -}}
{{- if or (gt (len $adapter.name) 253) (not (regexMatch "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" $adapter.name)) -}}
{{- fail (printf "loraAdapters[%d].name %q cannot be the name of an object in Kubernetes. Use %q, for example; clients use adapterSource.adapterName, which stays." $index $adapter.name (include "spillway.names-label" (dict "name" $adapter.name "max" 63))) -}}
{{- end -}}
{{- if eq (include "spillway.secret-kind" $adapter.adapterSource.credentials) "text" -}}
{{- include "spillway.names-key" (dict "at" (printf "loraAdapters[%d].adapterSource.adapterName" $index) "key" $adapter.adapterSource.adapterName) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The closest label of DNS. Takes name and max. */}}
{{- define "spillway.names-label" -}}
{{- regexReplaceAll "[^a-z0-9]+" (lower .name) "-" | trimAll "-" | trunc (int .max) | trimAll "-" | default "model" -}}
{{- end }}

{{/* Refuses a key that a ConfigMap or a Secret cannot have. Takes at and key. */}}
{{- define "spillway.names-key" -}}
{{- if not (regexMatch "^[-._a-zA-Z0-9]{1,253}$" .key) -}}
{{- fail (printf "%s %q becomes a key in Kubernetes, which has letters, digits, \"-\", \"_\" and \".\" only. Use %q, for example." .at .key (regexReplaceAll "[^-._a-zA-Z0-9]+" .key "-")) -}}
{{- end -}}
{{- end }}

{{/* Refuses labels, selectors and annotations that Kubernetes would refuse, wherever the values have some. Takes the root. */}}
{{- define "spillway.labels" -}}
{{- range $key, $value := .Values -}}
{{- if eq $key "servingEngineSpec" -}}
{{- include "spillway.labels-at" (dict "value" (omit $value "modelSpec") "path" $key) -}}
{{- range $index, $entry := $value.modelSpec -}}
{{- if and $.Values.servingEngineSpec.enableEngine (include "spillway.engine.runs" (dict "root" $ "entry" $entry)) -}}
{{- include "spillway.labels-at" (dict "value" $entry "path" (printf "servingEngineSpec.modelSpec[%d]" $index)) -}}
{{- end -}}
{{- end -}}
{{- else if not (or (has $key (list "kube-prometheus-stack" "prometheus-adapter" "global" "extraObjects" "Chart" "Release")) (hasPrefix "x-" $key)) -}}
{{- include "spillway.labels-at" (dict "value" $value "path" $key) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "spillway.labels-at" -}}
{{- $path := .path -}}
{{- if kindIs "slice" .value -}}
{{- range $index, $item := .value -}}
{{- include "spillway.labels-at" (dict "value" $item "path" (printf "%s[%d]" $path $index)) -}}
{{- end -}}
{{- else if kindIs "map" .value -}}
{{- /* Of a selector, or of a toleration, whose empty key stands for all taints. */ -}}
{{- if and (hasKey .value "key") (kindIs "string" .value.key) (hasKey .value "operator") -}}
{{- if .value.key }}{{ include "spillway.labels-key" (dict "key" .value.key "path" (printf "%s.key" $path)) }}{{ end -}}
{{- if kindIs "slice" (get .value "values") -}}
{{- range $index, $text := get .value "values" -}}
{{- include "spillway.labels-text" (dict "text" $text "path" (printf "%s.values[%d]" $path $index)) -}}
{{- end -}}
{{- end -}}
{{- include "spillway.labels-text" (dict "text" (get .value "value") "path" (printf "%s.value" $path)) -}}
{{- end -}}
{{- range $key, $value := .value -}}
{{- $at := printf "%s.%s" $path $key -}}
{{- $areLabels := has $key (list "labels" "podLabels" "pvcLabels" "pvcMatchLabels" "matchLabels" "additionalLabels" "nodeSelector") -}}
{{- if and (kindIs "map" $value) (or $areLabels (has $key (list "annotations" "podAnnotations" "serviceAnnotations" "pvcAnnotations"))) -}}
{{- range $name, $text := $value -}}
{{- include "spillway.labels-key" (dict "key" $name "path" $at) -}}
{{- if $areLabels }}{{ include "spillway.labels-text" (dict "text" $text "path" (printf "%s.%s" $at $name)) }}{{ end -}}
{{- end -}}
{{- else -}}
{{- include "spillway.labels-at" (dict "value" $value "path" $at) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The key of a label or an annotation. Takes key and path. */}}
{{- define "spillway.labels-key" -}}
{{- if not (regexMatch "^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$" .key) -}}
{{- fail (printf "%s: %q cannot be the key of a label or an annotation, which is a name of at most 63 letters, digits, \"-\", \"_\" and \".\", behind a domain and \"/\" if that is needed: example.com/team." .path .key) -}}
{{- end -}}
{{- end }}

{{/* The value of a label. Takes text and path. */}}
{{- define "spillway.labels-text" -}}
{{- if and .text (kindIs "string" .text) (not (regexMatch "^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$" .text)) -}}
{{- fail (printf "%s: %q cannot be the value of a label, which has at most 63 letters, digits, \"-\", \"_\" and \".\", with a letter or digit at both ends. Use an annotation for other texts." .path .text) -}}
{{- end -}}
{{- end }}
