{{/*
Names and labels are those of the chart vllm-stack, whatever this chart is called: selectors cannot change, so a
release of that chart is upgraded in place only if they stay.
*/}}
{{- define "spillway.part-of" -}}vllm-stack{{- end }}

{{/* Whether spillway.observability.prometheus has its effect: the cluster has Prometheus Operator. Takes the root. */}}
{{- define "spillway.is-watched" -}}
{{- if and .Values.spillway.observability.prometheus (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") }}true{{ end }}
{{- end }}

{{/* Labels of all engines. Takes the root. */}}
{{- define "spillway.engines.common-labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: serving-engine
app.kubernetes.io/part-of: {{ include "spillway.part-of" . }}
app.kubernetes.io/managed-by: helm
{{- end }}

{{/* Labels by which the Service, the Deployment and the budget of an entry select its pods. Takes root and entry. */}}
{{- define "spillway.engine.selector" -}}
{{- $own := include "spillway.engines.common-labels" .root | fromYaml -}}
{{- $_ := set $own "model" (toString .entry.name) -}}
{{- $_ := set $own "helm-release-name" .root.Release.Name -}}
{{- $_ := set $own "app.kubernetes.io/name" (toString .entry.name) -}}
{{- toYaml (mergeOverwrite (dict) (deepCopy (.root.Values.servingEngineSpec.labels | default dict)) $own) -}}
{{- end }}

{{/* Selector of all pods of engines, with the workers of Ray, which lack the labels by which the router finds engines. Takes the root. */}}
{{- define "spillway.engines.pods" -}}
matchLabels:
  helm-release-name: {{ .Release.Name | quote }}
matchExpressions:
  - key: model
    operator: Exists
{{- end }}

{{/* Prometheus, in whatever namespace, for NetworkPolicies. */}}
{{- define "spillway.prometheus-peer" -}}
- namespaceSelector: {}
  podSelector:
    matchLabels:
      app.kubernetes.io/name: prometheus
{{- end }}

{{/* Labels of the router's pods, by which its Service selects them. Takes the root. */}}
{{- define "spillway.router.selector" -}}
{{- $own := dict
  "app.kubernetes.io/name" "router"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/component" "router"
  "app.kubernetes.io/part-of" (include "spillway.part-of" .)
  "app.kubernetes.io/managed-by" "helm" -}}
{{- toYaml (mergeOverwrite (dict) (deepCopy (.Values.routerSpec.labels | default dict)) $own) -}}
{{- end }}

{{/* Labels of the cache server's pods. Takes the root. */}}
{{- define "spillway.cache-server.selector" -}}
{{- $own := dict
  "app.kubernetes.io/name" "cache-server"
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/component" "cache-server"
  "app.kubernetes.io/part-of" (include "spillway.part-of" .)
  "app.kubernetes.io/managed-by" "helm" -}}
{{- toYaml (mergeOverwrite (dict) (deepCopy (.Values.cacheserverSpec.labels | default dict)) $own) -}}
{{- end }}

{{/*
Whether Spillway's cache server runs, with the image of spillway.image: instead of LMCache's, whose image this is. Any other repository is
run as it is, with lmcache_server. Takes the root.
*/}}
{{- define "spillway.cache-server.is-own" -}}
{{- $image := .Values.cacheserverSpec.image -}}
{{- if and (eq $image.repository "lmcache/vllm-openai") (not $image.digest) }}true{{ end -}}
{{- end }}

{{/* Whether there are several cache servers, which then share the keys. Takes the root. */}}
{{- define "spillway.cache-server.has-peers" -}}
{{- if and (include "spillway.cache-server.is-own" .) (gt (int .Values.cacheserverSpec.replicaCount) 1) }}true{{ end -}}
{{- end }}

{{/* How many cache servers keep each value: copies, else two, so that one may be lost. Takes the root. */}}
{{- define "spillway.cache-server.copies" -}}
{{- $spec := .Values.cacheserverSpec -}}
{{- $count := int $spec.replicaCount -}}
{{- if gt (int ($spec.copies | default 1)) (max 1 $count | int) -}}
{{- fail (printf "cacheserverSpec.copies is %d, but there is %d cache server; set cacheserverSpec.replicaCount to at least %d." (int $spec.copies) $count (int $spec.copies)) -}}
{{- end -}}
{{- include "spillway.text" ($spec.copies | default (min 2 (int $spec.replicaCount))) -}}
{{- end }}

{{/* A number as digits, where Go would print 1.048576e+06; other values as they are. */}}
{{- define "spillway.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{ printf "%.0f" . }}
{{- else if or (kindIs "map" .) (kindIs "slice" .) -}}{{ toJson . }}
{{- else -}}{{ toString . }}{{- end -}}
{{- end }}

{{/* Reference of an image: by digest if one is given. Takes repository, tag and digest. */}}
{{- define "spillway.image" -}}
{{- $repository := toString .repository -}}
{{- if not (regexMatch (printf "^%s$" (include "spillway.image-name" .)) $repository) -}}
{{- fail (printf "repository %q is not the name of an image without its tag, such as vllm/vllm-openai or ghcr.io/owner/name; tag and digest have keys of their own." $repository) -}}
{{- end -}}
{{- if .digest }}{{ $repository }}@{{ .digest }}
{{- else -}}
{{- $tag := include "spillway.text" .tag -}}
{{- if not (regexMatch "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$" $tag) -}}
{{- fail (printf "tag %q of image %s is not a tag, which has at most 128 letters, digits, \"_\", \".\" and \"-\"; a digest has a key of its own, digest." $tag $repository) -}}
{{- end -}}
{{ $repository }}:{{ $tag }}
{{- end -}}
{{- end }}

{{/* A regular expression for the name of an image, with its registry, as Docker and containerd read it. */}}
{{- define "spillway.image-name" -}}
{{- $part := "[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*" -}}
{{- $host := "([A-Za-z0-9-]+([.][A-Za-z0-9-]+)+(:[0-9]{1,5})?|[A-Za-z0-9-]+:[0-9]{1,5}|localhost|[[][0-9A-Fa-f:]+[]](:[0-9]{1,5})?)" -}}
({{ $host }}/)?{{ $part }}(/{{ $part }})*
{{- end }}

{{/* An image in one text. Takes image and path. */}}
{{- define "spillway.image-text" -}}
{{- if not (regexMatch (printf "^%s(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha(256:[0-9a-f]{64}|512:[0-9a-f]{128}))?$" (include "spillway.image-name" .)) .image) -}}
{{- fail (printf "%s %q is not the name of an image, such as ghcr.io/owner/name:tag or name@sha256:…." .path .image) -}}
{{- end -}}
{{- .image -}}
{{- end }}

{{/* Spillway's own image: the router, embedded engines, the gate. Takes the root. */}}
{{- define "spillway.own-image" -}}
{{- $image := .Values.spillway.image -}}
{{- include "spillway.image" (dict "repository" $image.repository "tag" ($image.tag | default .Chart.AppVersion) "digest" $image.digest) -}}
{{- end }}

{{/* Environment variables without repetition: the last of a name stays, as in a container. Takes a list. */}}
{{- define "spillway.env" -}}
{{- $last := dict -}}
{{- range $index, $one := . }}{{ $_ := set $last $one.name $index }}{{ end -}}
{{- $kept := list -}}
{{- range $index, $one := . }}{{ if eq (get $last $one.name) $index }}{{ $kept = append $kept $one }}{{ end }}{{ end -}}
{{- if $kept }}{{ toYaml $kept }}{{ end -}}
{{- end }}

{{/*
A probe. Helm merges a probe of the values with the default one, so a probe by a command also has the default's HTTP
request: it counts only if there is nothing else. Takes probe and port, the port that the default 8000 stands for.
*/}}
{{- define "spillway.probe" -}}
{{- $probe := deepCopy .probe -}}
{{- if or $probe.exec $probe.tcpSocket $probe.grpc -}}
{{- $_ := unset $probe "httpGet" -}}
{{- else if $probe.httpGet -}}
{{- if eq (toString $probe.httpGet.port) "8000" }}{{ $_ := set $probe.httpGet "port" .port }}{{ end -}}
{{- end -}}
{{- toYaml $probe -}}
{{- end }}

{{/* Security context of a container of Spillway's own image, with the fields that the values give. */}}
{{- define "spillway.own-container-security" -}}
{{- $base := dict
  "allowPrivilegeEscalation" false
  "capabilities" (dict "drop" (list "ALL"))
  "readOnlyRootFilesystem" true -}}
{{- toYaml (mergeOverwrite $base (deepCopy (. | default dict)) (dict "runAsNonRoot" true)) -}}
{{- end }}

{{/* Security context of a pod of Spillway's own image. The image's user is 65532. */}}
{{- define "spillway.own-pod-security" -}}
{{- $base := dict
  "runAsUser" 65532
  "runAsGroup" 65532
  "fsGroup" 65532
  "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (mergeOverwrite $base (deepCopy (. | default dict)) (dict "runAsNonRoot" true)) -}}
{{- end }}

{{/* URL of the cache server for LMCache. Takes the root. */}}
{{- define "spillway.cache-server.url" -}}
lm://{{ .Release.Name }}-cache-server-service:{{ .Values.cacheserverSpec.servicePort }}
{{- end }}

{{/* Spec of a PodDisruptionBudget without its selector: 0 is a value like any other. */}}
{{- define "spillway.pdb-bound" -}}
{{- if not (kindIs "invalid" .maxUnavailable) -}}
maxUnavailable: {{ .maxUnavailable }}
{{- else -}}
minAvailable: {{ if kindIs "invalid" .minAvailable }}0{{ else }}{{ .minAvailable }}{{ end }}
{{- end -}}
{{- end }}

{{/*
Whether a secret of the values is there: "text" if it is given itself, "reference" for a Kubernetes secret, else
nothing.
*/}}
{{- define "spillway.secret-kind" -}}
{{- if and (kindIs "string" .) . -}}text
{{- else if and (kindIs "map" .) (.secretName) (.secretKey) -}}reference
{{- end -}}
{{- end }}

{{/* valueFrom of a secret of the values. Takes root, secret and key, its name in the secret of this release. */}}
{{- define "spillway.secret-source" -}}
valueFrom:
  secretKeyRef:
{{- if eq (include "spillway.secret-kind" .secret) "text" }}
    name: {{ printf "%s-secrets" .root.Release.Name | quote }}
    key: {{ .key | quote }}
{{- else }}
    name: {{ .secret.secretName | quote }}
    key: {{ .secret.secretKey | quote }}
{{- end }}
{{- end }}

{{/*
Where the pods of router, cache server and LoRA controller run: the keys of engines. Takes spec and selector, the labels of the pods.
*/}}
{{- define "spillway.placement" -}}
{{- $selector := .selector -}}
{{- $spec := .spec -}}
{{- range $key := list "nodeName" "priorityClassName" "runtimeClassName" "schedulerName" }}
{{- with get $spec $key }}
{{ $key }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- range $key := list "tolerations" "nodeSelector" "imagePullSecrets" }}
{{- with get $spec $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- if $spec.affinity }}
affinity:
  {{- toYaml $spec.affinity | nindent 2 }}
{{- else if and $spec.nodeSelectorTerms (not $spec.nodeName) }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        {{- toYaml $spec.nodeSelectorTerms | nindent 8 }}
{{- end }}
{{- with $spec.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{ toYaml (merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" $selector))) | nindent 4 | trim }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Labels of a Deployment's pods: those of the selector win, or the Deployment would not find its pods. Takes spec and selector. */}}
{{- define "spillway.pod-labels" -}}
{{- toYaml (mergeOverwrite (deepCopy (.spec.podLabels | default dict)) .selector) -}}
{{- end }}

{{/* envFrom of a container. Takes its spec. */}}
{{- define "spillway.env-from" -}}
{{- with (.envFromSecret | default dict).name -}}
envFrom:
  - secretRef:
      name: {{ . | quote }}
{{- end -}}
{{- end }}
