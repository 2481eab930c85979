{{/*
Ports of Services and containers, each once: Kubernetes refuses two of a name, or of a number and protocol. A list of own ports has name,
port, targetPort and, for a port that the values ask for, key, which may not get lost.
*/}}

{{/*
Ports of a Service as YAML. Those of extraPorts come last; one of them takes the place of an own port of the same number, if both lead to the
same port of the pod. Takes own, extra and at, the path of extra in the values.
*/}}
{{- define "spillway.service-ports" -}}
{{- $own := .own -}}
{{- $at := .at -}}
{{- $extra := list -}}
{{- $byPort := dict -}}
{{- $names := dict -}}
{{- range $index, $entry := .extra | default list -}}
{{- $one := deepCopy $entry -}}
{{- if kindIs "invalid" $one.port }}{{ fail (printf "%s[%d] needs port, a number from 1 to 65535." $at $index) }}{{ end -}}
{{- $number := include "spillway.text" $one.port -}}
{{- if not (hasKey $one "name") }}{{ $_ := set $one "name" (printf "port-%s" $number) }}{{ end -}}
{{- $id := printf "%s/%s" $number ($one.protocol | default "TCP") -}}
{{- $earlier := get $byPort $id -}}
{{- if $earlier -}}
{{- if ne (toJson (omit $earlier "name")) (toJson (omit $one "name")) -}}
{{- fail (printf "%s[%d] has port %s, which an earlier entry has too; keep one of them." $at $index $id) -}}
{{- end -}}
{{- else -}}
{{- if hasKey $names $one.name }}{{ fail (printf "%s[%d] is named %q, as an earlier entry is; give it a name of its own." $at $index $one.name) }}{{ end -}}
{{- $_ := set $byPort $id $one -}}
{{- $_ := set $names $one.name true -}}
{{- $extra = append $extra $one -}}
{{- end -}}
{{- end -}}
{{- $ports := list -}}
{{- $taken := dict -}}
{{- range $own -}}
{{- $number := include "spillway.text" .port -}}
{{- $id := printf "%s/TCP" $number -}}
{{- $other := get $byPort $id -}}
{{- if hasKey $taken $number -}}
{{- with .key }}{{ fail (printf "%s is %s, which is also the port of %s on the same Service; choose another one." . $number (get $taken $number)) }}{{ end -}}
{{- else if $other -}}
{{- $target := include "spillway.text" ($other.targetPort | default $other.port) -}}
{{- $isSame := or (eq $target (include "spillway.text" .targetPort)) (eq $target (include "spillway.text" (.containerPort | default .targetPort))) -}}
{{- if and .key (not $isSame) }}{{ fail (printf "%s has port %s for port %s of the pod, but the Service has it for %s (port %s of the pod); remove it, or choose another one." $at $number $target .key (include "spillway.text" (.containerPort | default .targetPort))) }}{{ end -}}
{{- else -}}
{{- $_ := set $taken $number (.key | default .name) -}}
{{- $one := omit . "key" "containerPort" -}}
{{- if hasKey $names .name }}{{ $_ := set $one "name" (printf "%s-%s" .name $number) }}{{ end -}}
{{- $ports = append $ports (merge (dict "protocol" "TCP") $one) -}}
{{- end -}}
{{- end -}}
{{- toYaml (concat $ports $extra) -}}
{{- end }}

{{/* Ports of a container as YAML, the first of a number. Takes a list of name and containerPort. */}}
{{- define "spillway.container-ports" -}}
{{- $seen := dict -}}
{{- $ports := list -}}
{{- range . -}}
{{- $number := include "spillway.text" .containerPort -}}
{{- if not (hasKey $seen $number) -}}
{{- $_ := set $seen $number true -}}
{{- $ports = append $ports (dict "name" .name "containerPort" (int64 $number)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end }}

{{/* The value of a flag in a list of arguments, as "--flag value" or "--flag=value"; the last one counts. Takes args and flag. */}}
{{- define "spillway.argument" -}}
{{- $args := .args | default list -}}
{{- $flag := .flag -}}
{{- $value := "" -}}
{{- range $index, $word := $args -}}
{{- $text := include "spillway.text" $word -}}
{{- if hasPrefix (printf "%s=" $flag) $text }}{{ $value = trimPrefix (printf "%s=" $flag) $text }}
{{- else if and (eq $text $flag) (lt (add1 $index | int) (len $args)) }}{{ $value = include "spillway.text" (index $args (add1 $index | int)) }}{{ end -}}
{{- end -}}
{{- $value -}}
{{- end }}

{{/*
Ports of LMCache's controller and coordinator in the router, which engines reach through its Service: of the keys, or of the flags in
extraArgs, with the router's own defaults. Takes the root; a list of name, port and key.
*/}}
{{- define "spillway.router.lmcache-ports" -}}
{{- $spec := .Values.routerSpec -}}
{{- $own := include "spillway.router.is-own" . -}}
{{- $given := dict -}}
{{- range $key, $flag := dict "lmcacheControllerPort" "--lmcache-controller-port" "lmcacheControllerReplyPort" "--lmcache-controller-reply-port" "lmcacheControllerHeartbeatPort" "--lmcache-controller-heartbeat-port" "coordinator" "--lmcache-coordinator-port" -}}
{{- $value := include "spillway.text" (get $spec $key | default "") -}}
{{- $at := printf "routerSpec.%s" $key -}}
{{- if or (not $value) (eq $value "0") }}{{ $value = include "spillway.argument" (dict "args" $spec.extraArgs "flag" $flag) }}{{ $at = printf "routerSpec.extraArgs %s" $flag }}{{ end -}}
{{- if and $value (ne $value "0") -}}
{{- if not (regexMatch "^[0-9]{1,5}$" $value) }}{{ fail (printf "%s must be a port from 1 to 65535, not %q." $at $value) }}{{ end -}}
{{- $_ := set $given $key (dict "port" (int64 $value) "key" $at) -}}
{{- end -}}
{{- end -}}
{{- $pull := get $given "lmcacheControllerPort" | default dict -}}
{{- $isOn := gt (len (omit $given "coordinator")) 0 -}}
{{- /* The Service of upstream's chart always has port 9000. */ -}}
{{- $first := get $pull "port" | default 9000 | int64 -}}
{{- $ports := list -}}
{{- if or $isOn (ne $first (int64 $spec.containerPort)) -}}
{{- $ports = append $ports (dict "name" "lmcache-port" "port" $first "key" (get $pull "key" | default (ternary "the port of LMCache's controller" "" $isOn))) -}}
{{- end -}}
{{- $names := dict "lmcacheControllerReplyPort" "lmcache-reply" "lmcacheControllerHeartbeatPort" "lmcache-beats" -}}
{{- range $offset, $key := list "lmcacheControllerReplyPort" "lmcacheControllerHeartbeatPort" -}}
{{- $one := get $given $key -}}
{{- if $one }}{{ $ports = append $ports (merge (dict "name" (get $names $key)) $one) }}
{{- else if and $own $isOn }}{{ $ports = append $ports (dict "name" (get $names $key) "port" (add $first 1 $offset) "key" (printf "%s (by default the controller's port plus %d)" $key (add1 $offset))) }}{{ end -}}
{{- end -}}
{{- with $given.coordinator }}{{ $ports = append $ports (merge (dict "name" "lmcache-coord") .) }}{{ end -}}
{{- toYaml $ports -}}
{{- end }}

{{/* All ports of the router's pod: name, port and, of those that the values ask for, key. Takes the root. */}}
{{- define "spillway.router.pod-ports" -}}
{{- toYaml (concat (list (dict "name" "router-port" "port" .Values.routerSpec.containerPort "key" "routerSpec.containerPort")) (include "spillway.router.lmcache-ports" . | fromYamlArray)) -}}
{{- end }}

{{/*
Ports of the cache server's pod besides that of lm://: Redis' protocol, and LMCache's coordinator and controller where extraArgs start them.
Takes the root; a list of name, port and key.
*/}}
{{- define "spillway.cache-server.ports" -}}
{{- $args := .Values.cacheserverSpec.extraArgs -}}
{{- $ports := list -}}
{{- if include "spillway.cache-server.is-own" . -}}
{{- $ports = append $ports (dict "name" "redis" "port" 6379 "key" "the port of Redis' protocol") -}}
{{- range list (list "--coordinator-port" "coordinator" 1) (list "--controller-port" "controller" 3) (list "--controller-http-port" "control-http" 1) -}}
{{- $flag := index . 0 }}{{ $name := index . 1 }}{{ $count := index . 2 -}}
{{- $value := include "spillway.argument" (dict "args" $args "flag" $flag) -}}
{{- if and $value (ne $value "0") -}}
{{- if not (regexMatch "^[0-9]{1,5}$" $value) }}{{ fail (printf "cacheserverSpec.extraArgs %s must be a port from 1 to 65535, not %q." $flag $value) }}{{ end -}}
{{- range $offset := until (int $count) -}}
{{- $suffix := index (list "" "-reply" "-beats") $offset -}}
{{- $ports = append $ports (dict "name" (printf "%s%s" (ternary $name "ctrl" (eq $offset 0)) $suffix) "port" (add (int64 $value) $offset) "key" (printf "cacheserverSpec.extraArgs %s" $flag)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $ports }}{{ toYaml $ports }}{{ end -}}
{{- end }}

{{/* Refuses two ports of one pod with the same number, which only one of them could listen on. Takes a list of port and key. */}}
{{- define "spillway.listening-once" -}}
{{- $seen := dict -}}
{{- range . -}}
{{- $number := include "spillway.text" .port -}}
{{- $key := .key | default "" -}}
{{- if and $key (get $seen $number) }}{{ fail (printf "%s is %s, as is %s; the pod cannot listen on a port twice. Choose another one." $key $number (get $seen $number)) }}{{ end -}}
{{- if not (get $seen $number) }}{{ $_ := set $seen $number $key }}{{ end -}}
{{- end -}}
{{- end }}
