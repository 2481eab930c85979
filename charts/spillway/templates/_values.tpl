{{/*
Reads the values as "spillway up" does, before anything is rendered: each template includes this first. Nulls are removed, sections and
scalars that a null removed have their defaults, quoted numbers and booleans are what they say, and the texts of lists and maps are texts. Then the names are
checked. Takes the root.
*/}}
{{- define "spillway.values" -}}
{{- if not (hasKey .Values "x-read") -}}
{{- $_ := set .Values "x-read" true -}}
{{- include "spillway.values-conform" (dict "value" .Values "shape" (include "spillway.values-shape" . | fromJson)) -}}
{{- include "spillway.values-fill" (dict "value" .Values "defaults" (include "spillway.values-defaults" . | fromJson) "new" false) -}}
{{- include "spillway.values-characters" . -}}
{{- include "spillway.names" . -}}
{{- end -}}
{{- end }}

{{/* Converts a map or a list in place. Takes value and shape; scripts/chart-shape.ts explains the letters of a shape. */}}
{{- define "spillway.values-conform" -}}
{{- $shape := .shape -}}
{{- if kindIs "slice" .value -}}
{{- /* KEDA's triggers are a list, or one map. */ -}}
{{- if kindIs "slice" $shape }}{{ $shape = first $shape }}{{ end -}}
{{- range .value -}}
{{- if kindIs "map" . }}{{ include "spillway.values-conform" (dict "value" . "shape" $shape) }}{{ end -}}
{{- end -}}
{{- else -}}
{{- $map := .value -}}
{{- range $key, $value := $map -}}
{{- $form := get $shape $key | default (get $shape "*") -}}
{{- if kindIs "invalid" $value -}}
{{- /* emptyDir: without a value is a kind of volume. */ -}}
{{- if eq $key "emptyDir" }}{{ $_ := set $map $key dict }}{{ else }}{{ $_ := unset $map $key }}{{ end -}}
{{- else if eq (kindOf $form) "string" -}}
{{- if not $form -}}
{{- else if and (eq $form "i") (kindIs "string" $value) -}}
{{- if regexMatch "^(0|[1-9][0-9]*)$" $value }}{{ $_ := set $map $key (int64 $value) }}
{{- else if regexMatch "^(0|[1-9][0-9]*)?[.]?[0-9]+([eE][-+]?[0-9]+)?$" $value }}{{ $_ := set $map $key (float64 $value) }}{{ end -}}
{{- else if and (eq $form "b") (kindIs "string" $value) -}}
{{- if regexMatch "^(true|True|TRUE|false|False|FALSE)$" $value }}{{ $_ := set $map $key (eq (lower $value) "true") }}{{ end -}}
{{- else if and (eq $form "t") (kindIs "slice" $value) -}}
{{- $texts := list -}}
{{- range $value }}{{ if not (kindIs "invalid" .) }}{{ $texts = append $texts (include "spillway.text" .) }}{{ end }}{{ end -}}
{{- $_ := set $map $key $texts -}}
{{- else if and (eq $form "m") (kindIs "map" $value) -}}
{{- range $name, $text := $value -}}
{{- if kindIs "invalid" $text }}{{ $_ := unset $value $name }}{{ else }}{{ $_ := set $value $name (include "spillway.text" $text) }}{{ end -}}
{{- end -}}
{{- else if and (eq $form "v") (kindIs "slice" $value) -}}
{{- $maps := list -}}
{{- range $value -}}
{{- if and (kindIs "map" .) (hasKey . "value") -}}
{{- $_ := set . "value" (ternary "" (include "spillway.text" .value) (kindIs "invalid" .value)) -}}
{{- end -}}
{{- if not (kindIs "invalid" .) }}{{ $maps = append $maps . }}{{ end -}}
{{- end -}}
{{- $_ := set $map $key $maps -}}
{{- end -}}
{{- else if and $form (or (kindIs "map" $value) (kindIs "slice" $value)) -}}
{{- if kindIs "slice" $value -}}
{{- $items := list -}}
{{- range $value }}{{ if not (kindIs "invalid" .) }}{{ $items = append $items . }}{{ end }}{{ end -}}
{{- $value = $items -}}
{{- $_ := set $map $key $items -}}
{{- end -}}
{{- include "spillway.values-conform" (dict "value" $value "shape" $form) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Sets the defaults that are missing, in place: those of maps and lists, below "", only in a new map. Takes value, defaults and new. */}}
{{- define "spillway.values-fill" -}}
{{- $map := .value -}}
{{- if .new -}}
{{- range $key, $default := get .defaults "" | default dict }}{{ $_ := set $map $key $default }}{{ end -}}
{{- end -}}
{{- range $key, $default := omit .defaults "" -}}
{{- if not (kindIs "map" $default) -}}
{{- if not (hasKey $map $key) }}{{ $_ := set $map $key $default }}{{ end -}}
{{- else -}}
{{- $isNew := not (hasKey $map $key) -}}
{{- if $isNew }}{{ $_ := set $map $key dict }}{{ end -}}
{{- if kindIs "map" (get $map $key) -}}
{{- include "spillway.values-fill" (dict "value" (get $map $key) "defaults" $default "new" $isNew) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Refuses control characters other than tabs and line breaks, wherever they are. Takes the root. */}}
{{- define "spillway.values-characters" -}}
{{- range $key, $value := .Values -}}
{{- if not (has $key (list "kube-prometheus-stack" "prometheus-adapter" "global" "Chart" "Release")) -}}
{{- include "spillway.values-characters-at" (dict "value" $value "path" $key) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "spillway.values-characters-at" -}}
{{- $path := .path -}}
{{- if kindIs "map" .value -}}
{{- range $key, $value := .value -}}
{{- include "spillway.values-characters-at" (dict "value" $key "path" (printf "a key below %s" $path)) -}}
{{- include "spillway.values-characters-at" (dict "value" $value "path" (printf "%s.%s" $path $key)) -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $index, $value := .value -}}
{{- include "spillway.values-characters-at" (dict "value" $value "path" (printf "%s[%d]" $path $index)) -}}
{{- end -}}
{{- else if kindIs "string" .value -}}
{{- if regexMatch "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]" .value -}}
{{- fail (printf "%s has a control character, %q: remove it" $path (regexFind "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]" .value)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether a key is set anywhere. Takes value and steps, the parts of its path, with "[]" for each item of a list. */}}
{{- define "spillway.values-has" -}}
{{- $steps := .steps -}}
{{- if not $steps }}true
{{- else if eq (first $steps) "[]" -}}
{{- if kindIs "slice" .value -}}
{{- range .value }}{{ include "spillway.values-has" (dict "value" . "steps" (rest $steps)) }}{{ end -}}
{{- end -}}
{{- else if kindIs "map" .value -}}
{{- if hasKey .value (first $steps) }}{{ include "spillway.values-has" (dict "value" (get .value (first $steps)) "steps" (rest $steps)) }}{{ end -}}
{{- end -}}
{{- end }}
