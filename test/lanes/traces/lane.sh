#!/usr/bin/env bash
# The lane "traces": a real OpenTelemetry Collector receives the spans of a stack. scripts/otel-collector.sh builds it;
# a real vLLM, which the lane "vllm" installs, sends its spans too.
set -u
skip() { echo "$1"; exit 77; }

reason=$(mktemp)
OTELCOL=$(scripts/otel-collector.sh 2> "$reason")
status=$?
cat "$reason"
rm -f "$reason"
# The last line is the reason.
[ "$status" -eq 0 ] || exit "$status"
export OTELCOL

# Without it, the test that needs it is skipped and says why.
if said=$(bash -ec 'skip() { echo "$1"; exit 77; }; . test/lanes/vllm/install.sh; echo "$VLLM_PYTHON"'); then
  export VLLM_PYTHON=${said##*$'\n'}
else
  export VLLM_MISSING=${said##*$'\n'}
fi
exec "$NODE" --test --test-timeout=600000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/traces/*.test.ts'
