{{/*
Written by "npm run docs" from the table of settings (src/core/layout); do not edit.
Arguments of one engine after its model and its address. Takes an entry of servingEngineSpec.modelSpec.
*/}}
{{- define "spillway.engine-arguments.vllm" -}}
{{- $entry := . -}}
{{- $config := $entry.vllmConfig -}}
{{- if and (not (kindIs "invalid" ($entry | default dict).modelRevision)) (ne (toString ($entry | default dict).modelRevision) "") }}
- "--revision"
- {{ include "spillway.text" ($entry | default dict).modelRevision | quote }}
{{- end }}
{{- if ($entry | default dict).enableLoRA }}
- "--enable-lora"
{{- end }}
{{- if ($entry | default dict).enableTool }}
- "--enable-auto-tool-choice"
{{- end }}
{{- if and (not (kindIs "invalid" ($entry | default dict).toolCallParser)) (ne (toString ($entry | default dict).toolCallParser) "") }}
- "--tool-call-parser"
- {{ include "spillway.text" ($entry | default dict).toolCallParser | quote }}
{{- end }}
{{- if ($config | default dict).enableChunkedPrefill }}
- "--enable-chunked-prefill"
{{- else if eq (toString ($config | default dict).enableChunkedPrefill) "false" }}
- "--no-enable-chunked-prefill"
{{- end }}
{{- if ($config | default dict).enablePrefixCaching }}
- "--enable-prefix-caching"
{{- else if not (kindIs "invalid" $config) }}
- "--no-enable-prefix-caching"
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).maxModelLen)) (ne (toString ($config | default dict).maxModelLen) "") }}
- "--max-model-len"
- {{ include "spillway.text" ($config | default dict).maxModelLen | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).dtype)) (ne (toString ($config | default dict).dtype) "") }}
- "--dtype"
- {{ include "spillway.text" ($config | default dict).dtype | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).tensorParallelSize)) (ne (toString ($config | default dict).tensorParallelSize) "") }}
- "--tensor-parallel-size"
- {{ include "spillway.text" ($config | default dict).tensorParallelSize | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).pipelineParallelSize)) (ne (toString ($config | default dict).pipelineParallelSize) "") }}
- "--pipeline-parallel-size"
- {{ include "spillway.text" ($config | default dict).pipelineParallelSize | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).maxNumSeqs)) (ne (toString ($config | default dict).maxNumSeqs) "") }}
- "--max-num-seqs"
- {{ include "spillway.text" ($config | default dict).maxNumSeqs | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).maxNumBatchedTokens)) (ne (toString ($config | default dict).maxNumBatchedTokens) "") }}
- "--max-num-batched-tokens"
- {{ include "spillway.text" ($config | default dict).maxNumBatchedTokens | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).blockSize)) (ne (toString ($config | default dict).blockSize) "") }}
- "--block-size"
- {{ include "spillway.text" ($config | default dict).blockSize | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).numGpuBlocksOverride)) (ne (toString ($config | default dict).numGpuBlocksOverride) "") }}
- "--num-gpu-blocks-override"
- {{ include "spillway.text" ($config | default dict).numGpuBlocksOverride | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).schedulingPolicy)) (ne (toString ($config | default dict).schedulingPolicy) "") }}
- "--scheduling-policy"
- {{ include "spillway.text" ($config | default dict).schedulingPolicy | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).gpuMemoryUtilization)) (ne (toString ($config | default dict).gpuMemoryUtilization) "") }}
- "--gpu-memory-utilization"
- {{ include "spillway.text" ($config | default dict).gpuMemoryUtilization | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).maxLoras)) (ne (toString ($config | default dict).maxLoras) "") }}
- "--max-loras"
- {{ include "spillway.text" ($config | default dict).maxLoras | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).runner)) (ne (toString ($config | default dict).runner) "") }}
- "--runner"
- {{ include "spillway.text" ($config | default dict).runner | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).convert)) (ne (toString ($config | default dict).convert) "") }}
- "--convert"
- {{ include "spillway.text" ($config | default dict).convert | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).seed)) (ne (toString ($config | default dict).seed) "") }}
- "--seed"
- {{ include "spillway.text" ($config | default dict).seed | quote }}
{{- end }}
{{- if ($config | default dict).kvEvents }}
- "--kv-events-config"
- '{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5558","topic":"kv-events"}'
{{- end }}
{{- range ($config | default dict).extraArgs }}
- {{ . | quote }}
{{- end }}
{{- $hasConnector := false }}
{{- range ($config | default dict).extraArgs }}{{ if regexMatch "^--kv[-_]transfer[-_]config(=|$)" . }}{{ $hasConnector = true }}{{ end }}{{ end }}
{{- with $entry.lmcacheConfig }}
{{- if and .enabled (not $hasConnector) }}
- "--kv-transfer-config"
{{- if .mpServer }}
- {{ include "spillway.engine.multiprocess-connector" $entry | quote }}
{{- else }}
{{- $connector := "LMCacheConnectorV1" }}
{{- if and (not .enablePD) (eq (toString ($config | default dict).v0) "1") }}{{ $connector = "LMCacheConnector" }}{{ end }}
{{- $extra := "" }}
{{- if .enablePD }}{{ $extra = printf ",\"kv_connector_extra_config\":{\"discard_partial_chunks\":false,\"lmcache_rpc_port\":%s}" (.nixlRole | default "" | quote) }}{{ end }}
- {{ printf "{\"kv_connector\":%s,\"kv_role\":%s%s}" (quote $connector) (.kvRole | default "kv_both" | quote) $extra | squote }}
{{- end }}
{{- end }}
{{- end }}
{{- with $entry.chatTemplate }}
- "--chat-template"
- {{ printf "/templates/%s" . | quote }}
{{- end }}
{{- end }}

{{- define "spillway.engine-arguments.embedded" -}}
{{- $entry := . -}}
{{- $config := $entry.vllmConfig -}}
{{- if and (not (kindIs "invalid" ($entry | default dict).gpu)) (ne (toString ($entry | default dict).gpu) "") }}
- "--gpu"
- {{ include "spillway.text" ($entry | default dict).gpu | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($entry | default dict).profile)) (ne (toString ($entry | default dict).profile) "") }}
- "--profile"
- {{ include "spillway.text" ($entry | default dict).profile | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($entry | default dict).timeScale)) (ne (toString ($entry | default dict).timeScale) "") }}
- "--time-scale"
- {{ include "spillway.text" ($entry | default dict).timeScale | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($entry | default dict).tokenizer)) (ne (toString ($entry | default dict).tokenizer) "") }}
- "--tokenizer"
- {{ include "spillway.text" ($entry | default dict).tokenizer | quote }}
{{- end }}
{{- range ($entry | default dict).faults }}
- "--fault"
- {{ . | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($entry | default dict).modelRevision)) (ne (toString ($entry | default dict).modelRevision) "") }}
- "--revision"
- {{ include "spillway.text" ($entry | default dict).modelRevision | quote }}
{{- end }}
{{- if ($entry | default dict).enableLoRA }}
- "--enable-lora"
{{- end }}
{{- if ($entry | default dict).enableTool }}
- "--enable-auto-tool-choice"
{{- end }}
{{- if and (not (kindIs "invalid" ($entry | default dict).toolCallParser)) (ne (toString ($entry | default dict).toolCallParser) "") }}
- "--tool-call-parser"
- {{ include "spillway.text" ($entry | default dict).toolCallParser | quote }}
{{- end }}
{{- if ($config | default dict).enableChunkedPrefill }}
- "--enable-chunked-prefill"
{{- else if eq (toString ($config | default dict).enableChunkedPrefill) "false" }}
- "--no-enable-chunked-prefill"
{{- end }}
{{- if ($config | default dict).enablePrefixCaching }}
- "--enable-prefix-caching"
{{- else if not (kindIs "invalid" $config) }}
- "--no-enable-prefix-caching"
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).maxModelLen)) (ne (toString ($config | default dict).maxModelLen) "") }}
- "--max-model-len"
- {{ include "spillway.text" ($config | default dict).maxModelLen | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).dtype)) (ne (toString ($config | default dict).dtype) "") }}
- "--dtype"
- {{ include "spillway.text" ($config | default dict).dtype | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).tensorParallelSize)) (ne (toString ($config | default dict).tensorParallelSize) "") }}
- "--tensor-parallel-size"
- {{ include "spillway.text" ($config | default dict).tensorParallelSize | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).pipelineParallelSize)) (ne (toString ($config | default dict).pipelineParallelSize) "") }}
- "--pipeline-parallel-size"
- {{ include "spillway.text" ($config | default dict).pipelineParallelSize | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).maxNumSeqs)) (ne (toString ($config | default dict).maxNumSeqs) "") }}
- "--max-num-seqs"
- {{ include "spillway.text" ($config | default dict).maxNumSeqs | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).maxNumBatchedTokens)) (ne (toString ($config | default dict).maxNumBatchedTokens) "") }}
- "--max-num-batched-tokens"
- {{ include "spillway.text" ($config | default dict).maxNumBatchedTokens | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).blockSize)) (ne (toString ($config | default dict).blockSize) "") }}
- "--block-size"
- {{ include "spillway.text" ($config | default dict).blockSize | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).numGpuBlocksOverride)) (ne (toString ($config | default dict).numGpuBlocksOverride) "") }}
- "--num-gpu-blocks-override"
- {{ include "spillway.text" ($config | default dict).numGpuBlocksOverride | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).schedulingPolicy)) (ne (toString ($config | default dict).schedulingPolicy) "") }}
- "--scheduling-policy"
- {{ include "spillway.text" ($config | default dict).schedulingPolicy | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).gpuMemoryUtilization)) (ne (toString ($config | default dict).gpuMemoryUtilization) "") }}
- "--gpu-memory-utilization"
- {{ include "spillway.text" ($config | default dict).gpuMemoryUtilization | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).maxLoras)) (ne (toString ($config | default dict).maxLoras) "") }}
- "--max-loras"
- {{ include "spillway.text" ($config | default dict).maxLoras | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).runner)) (ne (toString ($config | default dict).runner) "") }}
- "--runner"
- {{ include "spillway.text" ($config | default dict).runner | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).convert)) (ne (toString ($config | default dict).convert) "") }}
- "--convert"
- {{ include "spillway.text" ($config | default dict).convert | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($config | default dict).seed)) (ne (toString ($config | default dict).seed) "") }}
- "--seed"
- {{ include "spillway.text" ($config | default dict).seed | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($entry | default dict).standIn)) (ne (toString ($entry | default dict).standIn) "") }}
- "--stand-in"
- {{ include "spillway.text" ($entry | default dict).standIn | quote }}
{{- end }}
{{- if ($config | default dict).kvEvents }}
- "--kv-events-config"
- '{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5558","topic":"kv-events"}'
{{- end }}
{{- range ($config | default dict).extraArgs }}
- {{ . | quote }}
{{- end }}
{{- if and (not (kindIs "invalid" ($entry | default dict).chatTemplate)) (ne (toString ($entry | default dict).chatTemplate) "") }}
- "--chat-template"
- {{ include "spillway.text" ($entry | default dict).chatTemplate | quote }}
{{- end }}
{{- end }}
