{{/* The parts of an engine's pod, shared by the Deployment and the RayCluster. Each takes root and entry. */}}

{{/* What an entry runs: embedded, vllm, or url for engines that run already. */}}
{{- define "spillway.engine.kind" -}}
{{- .entry.kind | default (ternary "url" "vllm" (hasKey .entry "urls")) -}}
{{- end }}

{{/* Whether an entry runs pods: it is enabled, and its engines do not run elsewhere. */}}
{{- define "spillway.engine.runs" -}}
{{- if and (ne (toString .entry.enabled) "false") (ne (include "spillway.engine.kind" .) "url") }}true{{ end -}}
{{- end }}

{{/* Whether an entry runs on Ray. */}}
{{- define "spillway.engine.on-ray" -}}
{{- if and .entry.raySpec .entry.raySpec.enabled }}true{{ end -}}
{{- end }}

{{/* The name of the model for clients: of the first --served-model-name, else modelURL, else name. */}}
{{- define "spillway.engine.served-model" -}}
{{- $name := .entry.modelURL | default .entry.name -}}
{{- $words := (.entry.vllmConfig | default dict).extraArgs | default list -}}
{{- range $index, $word := $words -}}
{{- if and (has $word (list "--served-model-name" "--served_model_name")) (lt (add1 $index) (len $words)) -}}
{{- $name = index $words (add1 $index) -}}
{{- else if regexMatch "^--served[-_]model[-_]name=" $word -}}
{{- $name = regexReplaceAll "^[^=]*=" $word "" -}}
{{- end -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "spillway.engine.image" -}}
{{- if eq (include "spillway.engine.kind" .) "embedded" -}}
{{- include "spillway.own-image" .root -}}
{{- else -}}
{{- $repository := required "Required value 'modelSpec.repository' must be defined !" .entry.repository -}}
{{- if not .entry.digest }}{{ $_ := required "Required value 'modelSpec.tag' must be defined !" .entry.tag }}{{ end -}}
{{- include "spillway.image" (dict "repository" $repository "tag" .entry.tag "digest" .entry.digest) -}}
{{- end -}}
{{- end }}

{{- define "spillway.engine.pull-policy" -}}
{{- if eq (include "spillway.engine.kind" .) "embedded" }}{{ .root.Values.spillway.image.pullPolicy }}{{ else }}{{ .root.Values.servingEngineSpec.imagePullPolicy | default "Always" }}{{ end -}}
{{- end }}

{{/* Program and arguments of vllm serve, as in "spillway up", followed by the words that only Ray needs. */}}
{{- define "spillway.engine.vllm-words" -}}
- {{ required (printf "servingEngineSpec.modelSpec \"%s\" lacks modelURL: set it to the Hugging Face name or the path of the model" .entry.name) .entry.modelURL | quote }}
- "--host"
- "0.0.0.0"
- "--port"
- {{ include "spillway.text" .root.Values.servingEngineSpec.containerPort | quote }}
{{- with .extra }}
{{ toYaml . }}
{{- end }}
{{- $entry := .entry }}
{{- if and .root.Values.cacheserverSpec.enabled (include "spillway.cache-server.is-own" .root) }}
{{- $entry = merge (dict "cacheNodes" (printf "%s-cache-server-service:6379" .root.Release.Name)) $entry }}
{{- end }}
{{- include "spillway.engine-arguments.vllm" $entry }}
{{- end }}

{{/*
Ports of LMCache's P2P as container ports, one of each kind for each worker: other engines open p2pInitPorts and
p2pLookupPorts, and the controller in the router workerPorts. Takes root and entry.
*/}}
{{- define "spillway.engine.p2p-ports" -}}
{{- $name := .entry.name -}}
{{- $cache := .entry.lmcacheConfig | default dict -}}
{{- if and $cache.enabled $cache.enableP2P (not $cache.mpServer) (eq (include "spillway.engine.kind" .) "vllm") -}}
{{- if and (hasKey $cache "p2pHost") (gt (int (.entry.replicaCount | default 1)) 1) -}}
{{- fail (printf "lmcacheConfig.p2pHost of %s would be the address of all its engines; leave it out for the address of each pod, or set replicaCount: 1." $name) -}}
{{- end -}}
{{- if not $cache.enableController -}}
{{- fail (printf "lmcacheConfig.enableP2P of %s needs enableController: true; LMCache asks its controller which engine has a block." $name) -}}
{{- end -}}
{{- range $key, $short := dict "p2pInitPorts" "p2p-init" "p2pLookupPorts" "p2p-lookup" "workerPorts" "lmcache" -}}
{{- if not (hasKey $cache $key) -}}
{{- fail (printf "lmcacheConfig.enableP2P of %s needs %s: a port for each GPU of the engine, e.g. \"8200,8201\"." $name $key) -}}
{{- end -}}
{{- range $index, $port := include "spillway.text" (get $cache $key) | nospace | splitList "," }}
- name: {{ printf "%s-%d" $short $index }}
  containerPort: {{ $port }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/*
vLLM's connector for LMCache in multiprocess mode, as JSON; src/core/layout/lmcache-server.ts has the same. Takes an
entry, with cacheNodes, the address of the cache server for Redis clients, if there is one.
*/}}
{{- define "spillway.engine.multiprocess-connector" -}}
{{- $entry := . -}}
{{- $cache := .lmcacheConfig -}}
{{- range $key := list "enablePD" "enableController" "enableP2P" -}}
{{- if get $cache $key -}}
{{- fail (printf "lmcacheConfig.%s of %s is for LMCache in the engine's process; remove it, or mpServer." $key $entry.name) -}}
{{- end -}}
{{- end -}}
{{- $extra := dict -}}
{{- if kindIs "string" $cache.mpServer -}}
{{- $parts := splitList ":" $cache.mpServer -}}
{{- $extra = dict "lmcache.mp.host" (printf "tcp://%s" (first $parts)) "lmcache.mp.port" (atoi (last $parts)) -}}
{{- else -}}
{{- if not (gt (float64 ($cache.cpuOffloadingBufferSize | default 0)) 0.0) -}}
{{- fail (printf "lmcacheConfig.mpServer: true of %s needs cpuOffloadingBufferSize, the memory in GB of the server that the engine starts." $entry.name) -}}
{{- end -}}
{{- $args := printf "--l1-size-gb %s --eviction-policy LRU" (include "spillway.text" $cache.cpuOffloadingBufferSize) -}}
{{- with $entry.cacheNodes -}}
{{- $args = printf "%s --l2-adapter '{\"type\":\"valkey\",\"startup_nodes\":\"%s\"}'" $args . -}}
{{- end -}}
{{- $extra = dict "lmcache.mp.autostart" true "lmcache.mp.autostart.server_args" $args "lmcache.mp.host" "tcp://localhost" "lmcache.mp.port" 5555 -}}
{{- end -}}
{{- toJson (dict "kv_connector" "LMCacheMPConnector" "kv_connector_extra_config" $extra "kv_load_failure_policy" "recompute" "kv_role" ($cache.kvRole | default "kv_both")) -}}
{{- end }}

{{/* All ports of an engine's container, each once. Takes root and entry. */}}
{{- define "spillway.engine.container-ports" -}}
{{- $ports := list
  (dict "name" "container-port" "port" .root.Values.servingEngineSpec.containerPort "key" "servingEngineSpec.containerPort")
  (dict "name" "zmq-port" "port" 55555 "key" "the port zmq-port of the Service")
  (dict "name" "ucx-port" "port" 9999 "key" "the port ucx-port of the Service") -}}
{{- if (.entry.vllmConfig | default dict).kvEvents -}}
{{- $ports = concat $ports (list (dict "name" "kv-events" "port" 5557 "key" "the port of KV events") (dict "name" "kv-replay" "port" 5558 "key" "the port of repeated KV events")) -}}
{{- end -}}
{{- range include "spillway.engine.p2p-ports" . | fromYamlArray -}}
{{- $ports = append $ports (dict "name" .name "port" .containerPort "key" (printf "the port %s in lmcacheConfig of %s" .name $.entry.name)) -}}
{{- end -}}
{{- include "spillway.listening-once" $ports -}}
{{- $listed := list -}}
{{- range $ports }}{{ $listed = append $listed (dict "name" .name "containerPort" .port) }}{{ end -}}
{{- include "spillway.container-ports" $listed -}}
{{- end }}

{{- define "spillway.engine.command" -}}
{{- if eq (include "spillway.engine.kind" .) "embedded" -}}
- "spillway"
- "engine"
{{- with .entry.modelURL }}
- "--model"
- {{ . | quote }}
{{- end }}
- "--host"
- "0.0.0.0"
- "--port"
- {{ include "spillway.text" .root.Values.servingEngineSpec.containerPort | quote }}
{{- if gt (int .root.Values.servingEngineSpec.drainSeconds) 0 }}
- "--shutdown-timeout"
- {{ include "spillway.text" .root.Values.servingEngineSpec.drainSeconds | quote }}
{{- end }}
{{- include "spillway.engine-arguments.embedded" .entry }}
{{- else -}}
- {{ ternary "/opt/venv/bin/vllm" "vllm" (eq (toString .entry.repository) "lmcache/vllm-openai") | quote }}
- "serve"
{{ include "spillway.engine.vllm-words" . }}
{{- end -}}
{{- end }}

{{/* Variables that say where models are, and who may ask. */}}
{{- define "spillway.engine.base-env" -}}
{{- $config := .entry.vllmConfig -}}
{{- if eq (include "spillway.engine.kind" .) "vllm" }}
- name: HF_HOME
  value: {{ ternary "/data/shared-pvc-storage" (ternary "/data" "/tmp" (not (empty .entry.pvcStorage))) (eq (toString .root.Values.sharedPvcStorage.enabled) "true") }}
{{- if .root.Values.servingEngineSpec.restricted }}
- name: HOME
  value: /tmp
{{- end }}
{{- if include "spillway.engine.on-ray" . }}
- name: VLLM_HOST_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- else }}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- end }}
{{- with $config }}
{{- if or (eq (toString .v0) "1") (eq (toString .v1) "0") }}
- name: VLLM_USE_V1
  value: "0"
{{- else if not (include "spillway.engine.on-ray" $) }}
- name: PROMETHEUS_MULTIPROC_DIR
  value: {{ .prometheusMultiprocDir | default "/tmp" | quote }}
{{- end }}
{{- end }}
{{- if include "spillway.secret-kind" .entry.hf_token }}
- name: HF_TOKEN
  {{- include "spillway.secret-source" (dict "root" .root "secret" .entry.hf_token "key" (printf "hf_token_%s" .entry.name)) | nindent 2 }}
{{- end }}
{{- end }}
{{- if include "spillway.secret-kind" .root.Values.servingEngineSpec.vllmApiKey }}
- name: VLLM_API_KEY
  {{- include "spillway.secret-source" (dict "root" .root "secret" .root.Values.servingEngineSpec.vllmApiKey "key" "vllmApiKey") | nindent 2 }}
{{- end }}
{{- end }}

{{/* LMCache in the engine's process reads its settings from the environment; in multiprocess mode they are on command lines. */}}
{{- define "spillway.engine.lmcache-env" -}}
{{- $cache := .entry.lmcacheConfig -}}
{{- $release := .root.Release.Name -}}
{{- if and $cache.enabled $cache.mpServer }}
- name: LMCACHE_LOG_LEVEL
  value: {{ $cache.logLevel | default "INFO" | quote }}
{{- if hasKey $cache "cudaVisibleDevices" }}
- name: CUDA_VISIBLE_DEVICES
  value: {{ $cache.cudaVisibleDevices | quote }}
{{- end }}
{{- else }}
{{- if $cache.enabled }}
- name: LMCACHE_USE_EXPERIMENTAL
  value: "True"
- name: VLLM_RPC_TIMEOUT
  value: "1000000"
- name: LMCACHE_LOG_LEVEL
  value: {{ $cache.logLevel | default "INFO" | quote }}
{{- end }}
{{- if hasKey $cache "cudaVisibleDevices" }}
- name: CUDA_VISIBLE_DEVICES
  value: {{ $cache.cudaVisibleDevices | quote }}
{{- end }}
{{- if $cache.enablePD }}
- name: LMCACHE_LOCAL_CPU
  value: "False"
- name: LMCACHE_MAX_LOCAL_CPU_SIZE
  value: "0"
- name: LMCACHE_REMOTE_SERDE
  value: "NULL"
- name: UCX_TLS
  value: "cuda_ipc,cuda_copy,tcp"
{{- range $key, $name := dict "enableNixl" "LMCACHE_ENABLE_NIXL" "nixlEnableGc" "LMCACHE_NIXL_ENABLE_GC" }}
{{- if hasKey $cache $key }}
- name: {{ $name }}
  value: {{ ternary "True" "False" (get $cache $key) | quote }}
{{- end }}
{{- end }}
{{- range $key, $name := dict "nixlRole" "LMCACHE_NIXL_ROLE" "nixlPeerHost" "LMCACHE_NIXL_RECEIVER_HOST" "nixlPeerPort" "LMCACHE_NIXL_RECEIVER_PORT" "nixlBufferSize" "LMCACHE_NIXL_BUFFER_SIZE" "nixlBufferDevice" "LMCACHE_NIXL_BUFFER_DEVICE" }}
{{- if hasKey $cache $key }}
- name: {{ $name }}
  value: {{ include "spillway.text" (get $cache $key) | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- if gt (float64 ($cache.cpuOffloadingBufferSize | default 0)) 0.0 }}
- name: LMCACHE_LOCAL_CPU
  value: "True"
- name: LMCACHE_MAX_LOCAL_CPU_SIZE
  value: {{ include "spillway.text" $cache.cpuOffloadingBufferSize | quote }}
{{- end }}
{{- if gt (float64 ($cache.diskOffloadingBufferSize | default 0)) 0.0 }}
{{- if include "spillway.engine.on-ray" . }}
- name: LMCACHE_LOCAL_DISK
  value: "True"
{{- end }}
- name: LMCACHE_MAX_LOCAL_DISK_SIZE
  value: {{ include "spillway.text" $cache.diskOffloadingBufferSize | quote }}
{{- end }}
{{- if .root.Values.cacheserverSpec.enabled }}
- name: LMCACHE_REMOTE_URL
  value: {{ include "spillway.cache-server.url" .root | quote }}
{{- with .root.Values.cacheserverSpec.serde }}
- name: LMCACHE_REMOTE_SERDE
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- if hasKey $cache "enableController" }}
- name: LMCACHE_ENABLE_CONTROLLER
  value: {{ ternary "True" "False" $cache.enableController | quote }}
{{- end }}
- name: LMCACHE_LMCACHE_INSTANCE_ID
  {{- if hasKey $cache "instanceId" }}
  value: {{ $cache.instanceId | quote }}
  {{- else }}
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
  {{- end }}
{{- range $key, $name := dict "controllerPort" "LMCACHE_CONTROLLER_PULL_URL" "controllerReplyPort" "LMCACHE_CONTROLLER_REPLY_URL" }}
{{- if hasKey $cache $key }}
- name: {{ $name }}
  value: "{{ $release }}-router-service:{{ include "spillway.text" (get $cache $key) }}"
{{- end }}
{{- end }}
{{- range $key, $name := dict "workerPorts" "LMCACHE_LMCACHE_WORKER_PORTS" "p2pHost" "LMCACHE_P2P_HOST" "p2pInitPorts" "LMCACHE_P2P_INIT_PORTS" "p2pLookupPorts" "LMCACHE_P2P_LOOKUP_PORTS" "workerHeartbeatTime" "LMCACHE_LMCACHE_WORKER_HEARTBEAT_TIME" }}
{{- if hasKey $cache $key }}
- name: {{ $name }}
  value: {{ include "spillway.text" (get $cache $key) | quote }}
{{- end }}
{{- end }}
{{- if $cache.enableP2P }}
- name: LMCACHE_ENABLE_P2P
  value: "True"
- name: LMCACHE_TRANSFER_CHANNEL
  value: nixl
- name: LMCACHE_ENABLE_ASYNC_LOADING
  value: "True"
{{- if not (hasKey $cache "p2pHost") }}
- name: LMCACHE_P2P_HOST
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- end }}
{{- end }}
{{- if hasKey $cache "workerPort" }}
- name: LMCACHE_WORKER_PORT
  value: {{ include "spillway.text" $cache.workerPort | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* All variables of an engine's container; own is a list that comes first. */}}
{{- define "spillway.engine.env" -}}
{{- $vars := .own | default list -}}
{{- $vars = concat $vars (include "spillway.engine.base-env" . | fromYamlArray) -}}
{{- $vars = concat $vars (.root.Values.servingEngineSpec.env | default list) (.entry.env | default list) -}}
{{- if and .entry.lmcacheConfig (eq (include "spillway.engine.kind" .) "vllm") -}}
{{- $vars = concat $vars (include "spillway.engine.lmcache-env" . | fromYamlArray) -}}
{{- end -}}
{{- include "spillway.env" $vars -}}
{{- end }}

{{- define "spillway.engine.env-from" -}}
{{- if .root.Values.servingEngineSpec.configs }}
- configMapRef:
    name: "{{ .root.Release.Name }}-configs"
{{- end }}
{{- with (.entry.envFromSecret | default dict).name }}
- secretRef:
    name: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Requests and limits of the keys request… and limit…; of the head of a RayCluster too. Takes spec and kind. */}}
{{- define "spillway.engine.resources" -}}
{{- $spec := .spec -}}
{{- if $spec.resources -}}
{{ toYaml $spec.resources }}
{{- else if eq .kind "embedded" -}}
requests:
  memory: {{ $spec.requestMemory | default "256Mi" | quote }}
  cpu: {{ include "spillway.text" ($spec.requestCPU | default "250m") | quote }}
{{- if or (hasKey $spec "limitMemory") (hasKey $spec "limitCPU") }}
limits:
  {{- if hasKey $spec "limitMemory" }}
  memory: {{ include "spillway.text" $spec.limitMemory | quote }}
  {{- end }}
  {{- if hasKey $spec "limitCPU" }}
  cpu: {{ include "spillway.text" $spec.limitCPU | quote }}
  {{- end }}
{{- end }}
{{- else -}}
{{- $devices := dict -}}
{{- if gt (float64 ($spec.requestGPU | default 0)) 0.0 -}}
{{- $_ := set $devices ($spec.requestGPUType | default "nvidia.com/gpu") (include "spillway.text" $spec.requestGPU) -}}
{{- end -}}
{{- $limits := dict -}}
{{- range list
  (list "nvidia.com/gpumem" "requestGPUMem" "limitGPUMem")
  (list "nvidia.com/gpumem-percentage" "requestGPUMemPercentage" "limitGPUMemPercentage")
  (list "nvidia.com/gpucores" "requestGPUCores" "limitGPUCores") -}}
{{- $name := index . 0 }}{{ $request := index . 1 }}{{ $limit := index . 2 -}}
{{- if hasKey $spec $request }}{{ $_ := set $devices $name (include "spillway.text" (get $spec $request)) }}{{ end -}}
{{- /* Kubernetes asks for a limit wherever a device is requested, and takes it as the request if there is none. */ -}}
{{- if hasKey $spec $limit }}{{ $_ := set $limits $name (include "spillway.text" (get $spec $limit)) }}
{{- else if hasKey $spec $request }}{{ $_ := set $limits $name (get $devices $name) }}{{ end -}}
{{- end -}}
{{- range $name, $amount := $devices }}{{ if not (hasKey $limits $name) }}{{ $_ := set $limits $name $amount }}{{ end }}{{ end -}}
{{- if hasKey $spec "limitMemory" }}{{ $_ := set $limits "memory" (include "spillway.text" $spec.limitMemory) }}{{ end -}}
{{- if hasKey $spec "limitCPU" }}{{ $_ := set $limits "cpu" (include "spillway.text" $spec.limitCPU) }}{{ end -}}
requests:
  memory: {{ required "Value 'modelSpec.requestMemory' must be defined !" $spec.requestMemory | include "spillway.text" | quote }}
  cpu: {{ required "Value 'modelSpec.requestCPU' must be defined !" $spec.requestCPU | include "spillway.text" | quote }}
  {{- with $devices }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $limits }}
limits:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
{{- end }}

{{/* Whether the engine has a volume of its own for models. */}}
{{- define "spillway.engine.has-storage" -}}
{{- if not (empty .entry.pvcStorage) }}true{{ end -}}
{{- end }}

{{/* Whether the entry has a claim of its own: a size is given, and no claim or emptyDir. */}}
{{- define "spillway.engine.has-claim" -}}
{{- if and .entry.pvcStorage (not (kindIs "map" .entry.pvcStorage)) (empty .entry.pvcExistingClaimName) }}true{{ end -}}
{{- end }}

{{/* Whether /dev/shm is larger than the 64 MB of a container: for GPUs that share a model, or as shmSize says. */}}
{{- define "spillway.engine.has-shm" -}}
{{- $config := .entry.vllmConfig | default dict -}}
{{- if or .entry.shmSize (hasKey $config "tensorParallelSize") (gt (int ($config.pipelineParallelSize | default 1)) 1) }}true{{ end -}}
{{- end }}

{{/* The volume with chat templates: of the ConfigMap, or the claim vllm-templates-pvc that its owner creates. */}}
{{- define "spillway.engine.templates-volume" -}}
{{- if hasKey .entry "chatTemplateConfigMap" }}{{ .root.Release.Name }}-{{ .entry.name }}-chat-templates{{ else }}vllm-templates{{ end -}}
{{- end }}

{{- define "spillway.engine.volume-mounts" -}}
{{- $kind := include "spillway.engine.kind" . -}}
{{- if include "spillway.engine.has-storage" . }}
- name: {{ .root.Release.Name }}-storage
  mountPath: /data
{{- end }}
{{- if and (eq $kind "vllm") (include "spillway.engine.has-shm" .) }}
- name: shm
  mountPath: /dev/shm
{{- end }}
{{- if and (eq $kind "vllm") .entry.chatTemplate }}
- name: {{ include "spillway.engine.templates-volume" . }}
  mountPath: /templates
{{- end }}
{{- if or (eq $kind "embedded") .root.Values.servingEngineSpec.restricted }}
- name: tmp
  mountPath: /tmp
{{- end }}
{{- with .entry.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- if .root.Values.sharedPvcStorage.enabled }}
- name: {{ .root.Release.Name }}-shared-pvc-storage
  mountPath: /data/shared-pvc-storage
{{- end }}
{{- end }}

{{- define "spillway.engine.volumes" -}}
{{- $kind := include "spillway.engine.kind" . -}}
{{- if include "spillway.engine.has-storage" . }}
- name: {{ .root.Release.Name }}-storage
  {{- if and (kindIs "map" .entry.pvcStorage) (hasKey .entry.pvcStorage "emptyDir") }}
  emptyDir:
    {{- toYaml (.entry.pvcStorage.emptyDir | default dict) | nindent 4 }}
  {{- else }}
  persistentVolumeClaim:
    claimName: {{ .entry.pvcExistingClaimName | default (printf "%s-%s-storage-claim" .root.Release.Name .entry.name) | quote }}
  {{- end }}
{{- end }}
{{- if .root.Values.sharedPvcStorage.enabled }}
- name: {{ .root.Release.Name }}-shared-pvc-storage
  persistentVolumeClaim:
    claimName: "{{ .root.Release.Name }}-shared-pvc-storage-claim"
{{- end }}
{{- if and (eq $kind "vllm") (include "spillway.engine.has-shm" .) }}
- name: shm
  emptyDir:
    medium: Memory
    sizeLimit: {{ include "spillway.text" (.entry.shmSize | default "20Gi") | quote }}
{{- end }}
{{- if and (eq $kind "vllm") .entry.chatTemplate }}
- name: {{ include "spillway.engine.templates-volume" . }}
  {{- if hasKey .entry "chatTemplateConfigMap" }}
  configMap:
    name: "{{ .root.Release.Name }}-{{ .entry.name }}-chat-templates"
  {{- else }}
  persistentVolumeClaim:
    claimName: vllm-templates-pvc
  {{- end }}
{{- end }}
{{- if or (eq $kind "embedded") .root.Values.servingEngineSpec.restricted }}
- name: tmp
  emptyDir: {}
{{- end }}
{{- with .entry.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* An init container of the values. Takes root, entry and container. */}}
{{- define "spillway.engine.init-container" -}}
{{- $container := .container -}}
name: {{ $container.name | quote }}
image: {{ include "spillway.image-text" (dict "image" $container.image "path" (printf "servingEngineSpec.modelSpec \"%s\": image of init container %s," .entry.name $container.name)) | quote }}
{{- with $container.command }}
command:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $container.args }}
args:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with (.entry.envFromSecret | default dict).name }}
envFrom:
  - secretRef:
      name: {{ . | quote }}
{{- end }}
{{- $vars := list (dict "name" "RELEASE_NAME" "value" .root.Release.Name) }}
{{- if .root.Values.cacheserverSpec.enabled }}
{{- $vars = append $vars (dict "name" "LMCACHE_SERVER_SERVICE_PORT" "value" (include "spillway.text" .root.Values.cacheserverSpec.servicePort)) }}
{{- end }}
env:
  {{- include "spillway.env" (concat $vars ($container.env | default list)) | nindent 2 }}
{{- with $container.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $mountsStorage := and $container.mountPvcStorage (include "spillway.engine.has-storage" .) }}
{{- if or $mountsStorage $container.extraVolumeMounts }}
volumeMounts:
  {{- if $mountsStorage }}
  - name: {{ .root.Release.Name }}-storage
    mountPath: /data
  {{- end }}
  {{- with $container.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .root.Values.servingEngineSpec.containerSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Security context of the engine's container. vLLM's image runs as root, and so do its files on existing volumes; with
servingEngineSpec.restricted it runs as a user without rights.
*/}}
{{- define "spillway.engine.container-security" -}}
{{- $given := deepCopy (.root.Values.servingEngineSpec.containerSecurityContext | default dict) -}}
{{- if eq (include "spillway.engine.kind" .) "embedded" -}}
{{- include "spillway.own-container-security" $given -}}
{{- else if .root.Values.servingEngineSpec.restricted -}}
{{- $base := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
{{- toYaml (mergeOverwrite $base $given (dict "runAsNonRoot" true)) -}}
{{- else -}}
{{- toYaml (mergeOverwrite (dict "allowPrivilegeEscalation" false "seccompProfile" (dict "type" "RuntimeDefault")) $given) -}}
{{- end -}}
{{- end }}

{{- define "spillway.engine.pod-security" -}}
{{- $given := deepCopy (.root.Values.servingEngineSpec.securityContext | default dict) -}}
{{- if eq (include "spillway.engine.kind" .) "embedded" -}}
{{- include "spillway.own-pod-security" $given -}}
{{- else if .root.Values.servingEngineSpec.restricted -}}
{{- $base := dict "runAsUser" 2000 "runAsGroup" 2000 "fsGroup" 2000 "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- toYaml (mergeOverwrite $base $given (dict "runAsNonRoot" true)) -}}
{{- else if $given -}}
{{- toYaml $given -}}
{{- end -}}
{{- end }}

{{/* Where the pods run: tolerations, node, affinity, runtime class, scheduler. */}}
{{- define "spillway.engine.placement" -}}
{{- $spec := .root.Values.servingEngineSpec -}}
{{- $own := .entry.tolerations | default list -}}
{{- $all := concat ($spec.tolerations | default list) $own -}}
{{- if and $own (eq (.entry.tolerationsPolicy | default "append") "override") }}{{ $all = $own }}{{ end -}}
{{- with $all }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $runtime := ternary .entry.runtimeClassName $spec.runtimeClassName (hasKey .entry "runtimeClassName") -}}
{{- /* Embedded engines need no GPU, so the default class of all engines is not theirs. */ -}}
{{- if and (eq (include "spillway.engine.kind" .) "embedded") (not (hasKey .entry "runtimeClassName")) }}{{ $runtime = "" }}{{ end -}}
{{- with $runtime }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with $spec.schedulerName }}
schedulerName: {{ . | quote }}
{{- end }}
{{- with .entry.nodeName }}
nodeName: {{ . | quote }}
{{- end }}
{{- with .entry.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .entry.affinity }}
affinity:
  {{- toYaml .entry.affinity | nindent 2 }}
{{- else if and .entry.nodeSelectorTerms (not .entry.nodeName) }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        {{- toYaml .entry.nodeSelectorTerms | nindent 8 }}
{{- end }}
{{- with .entry.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .entry.serviceAccountName }}
serviceAccountName: {{ . | quote }}
{{- end }}
{{- with .entry.imagePullSecret }}
imagePullSecrets:
  - name: {{ . | quote }}
{{- end }}
{{- end }}

{{/*
Seconds that the startup probe allows, at least: startupSeconds, else by the number of parameters in the model's name,
with 5 minutes for the engine itself, 2 bytes per parameter, and 100 MB/s for the download.
*/}}
{{- define "spillway.engine.startup-seconds" -}}
{{- if .entry.startupSeconds -}}
{{- .entry.startupSeconds -}}
{{- else -}}
{{- $billions := 0.0 -}}
{{- $size := regexFind "(?i)([0-9]+x)?[0-9]+(\\.[0-9]+)?b([^a-z0-9]|$)" (.entry.modelURL | default "") -}}
{{- if $size -}}
{{- $billions = float64 (regexFind "[0-9.]+" (regexReplaceAll "(?i)^[0-9]+x" $size "")) -}}
{{- with regexFind "(?i)^[0-9]+x" $size }}{{ $billions = mulf $billions (float64 (regexFind "[0-9]+" .)) }}{{ end -}}
{{- end -}}
{{- add 300 (int (mulf $billions 20.0)) -}}
{{- end -}}
{{- end }}

{{/* Startup, liveness and readiness probes of an engine. */}}
{{- define "spillway.engine.probes" -}}
{{- $port := .root.Values.servingEngineSpec.containerPort -}}
{{- if eq (include "spillway.engine.kind" .) "embedded" -}}
{{- /* It starts within a second or two. */ -}}
startupProbe:
  httpGet:
    path: /health
    port: {{ $port }}
  periodSeconds: 1
  failureThreshold: {{ .entry.startupSeconds | default 120 }}
livenessProbe:
  httpGet:
    path: /health
    port: {{ $port }}
  periodSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet:
    path: /health
    port: {{ $port }}
  periodSeconds: 2
  failureThreshold: 2
{{- else -}}
{{- with .root.Values.servingEngineSpec.startupProbe }}
{{- $probe := deepCopy . }}
{{- $period := int ($probe.periodSeconds | default 10) }}
{{- $needed := int (ceil (divf (include "spillway.engine.startup-seconds" $ | float64) $period)) }}
{{- $_ := set $probe "failureThreshold" (ternary $needed (max $needed (int ($probe.failureThreshold | default 3))) (hasKey $.entry "startupSeconds")) }}
startupProbe:
  {{- include "spillway.probe" (dict "probe" $probe "port" $port) | nindent 2 }}
{{- end }}
{{- with .root.Values.servingEngineSpec.livenessProbe }}
livenessProbe:
  {{- include "spillway.probe" (dict "probe" . "port" $port) | nindent 2 }}
{{- end }}
{{- with .root.Values.servingEngineSpec.readinessProbe }}
readinessProbe:
  {{- include "spillway.probe" (dict "probe" . "port" $port) | nindent 2 }}
{{- end }}
{{- end -}}
{{- end }}

{{/*
vLLM ends its streams on SIGTERM, so the pod first waits until none runs. By then the router sends it nothing new: it
knows of the termination as soon as it begins.
*/}}
{{- define "spillway.engine.drain" -}}
import re, time, urllib.request
end = time.monotonic() + {{ include "spillway.text" .root.Values.servingEngineSpec.drainSeconds }}
time.sleep(2)
while time.monotonic() < end:
    try:
        page = urllib.request.urlopen("http://127.0.0.1:{{ include "spillway.text" .root.Values.servingEngineSpec.containerPort }}/metrics", timeout=2).read().decode()
    except Exception:
        break
    if sum(map(float, re.findall(r"^vllm:num_requests_(?:running|waiting)(?:{[^}]*})? (\S+)", page, re.M))) == 0:
        break
    time.sleep(1)
{{- end }}

{{/* Time of a pod from SIGTERM to SIGKILL: the drain, and the stop itself. */}}
{{- define "spillway.engine.grace" -}}
{{- add 30 (int .root.Values.servingEngineSpec.drainSeconds) -}}
{{- end }}

{{/* The ConfigMap with the chat template of an entry. */}}
{{- define "spillway.engine.templates-config" -}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: "{{ .root.Release.Name }}-{{ .entry.name }}-chat-templates"
  namespace: {{ .root.Release.Namespace }}
data:
  {{ .entry.chatTemplate }}: {{ .entry.chatTemplateConfigMap | quote }}
{{- end }}
