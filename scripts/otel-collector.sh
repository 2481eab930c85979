#!/usr/bin/env bash
# Builds a small OpenTelemetry Collector from the Go module test/support/otel-collector and prints the path of the program.
# From nothing it takes about 90 s of CPU time and 300 MB for modules. Exit status: 0 built, 77 cannot be built here (the
# last line says why), anything else: the build failed.
set -euo pipefail
cd "$(dirname "$0")/../test/support/otel-collector"
skip() { echo "$1" >&2; exit 77; }

go=$(command -v go || echo /usr/local/go/bin/go)
[ -x "$go" ] || skip "no Go: neither go on PATH nor /usr/local/go/bin/go"
go_wanted=$(sed -n 's/^go //p' go.mod)
go_here=$("$go" env GOVERSION | sed 's/^go//')
[ "$(printf '%s\n' "$go_wanted" "${go_here%% *}" | sort -V | head -n 1)" = "$go_wanted" ] ||
  skip "Go $go_here is older than $go_wanted"

hash=$({ cat go.mod go.sum main.go; echo "$go_here"; } | sha256sum | cut -c 1-12)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes/otel-collector-$hash
mkdir -p "$folder"
if [ ! -x "$folder/otelcol" ]; then
  export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local
  log=$("$go" mod download 2>&1) || skip "the Go modules cannot be fetched: $(tail -n 1 <<< "$log")"
  echo "building the collector" >&2
  nice -n 5 "$go" build -p 2 -trimpath -ldflags "-s -w" -o "$folder/otelcol.new.$$" . >&2
  mv "$folder/otelcol.new.$$" "$folder/otelcol"
fi
echo "$folder/otelcol"
