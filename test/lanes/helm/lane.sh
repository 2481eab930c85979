#!/usr/bin/env bash
# The lane "helm": Helm 3 and Helm 4 render the values files of the worked plans with upstream's chart, whose templates are
# in test/support/upstream, or in the checkout of vllm-project/production-stack that UPSTREAM names. HELM names the only helm
# to use. Otherwise the lane builds both with Go.
set -eu
skip() { echo "$1"; exit 77; }

if [ -n "${HELM:-}" ]; then
  [ -x "$(command -v "$HELM")" ] || { echo "HELM names no program: $HELM"; exit 1; }
  helms=("$HELM")
else
  status=0
  folder=$(scripts/kubernetes-tools.sh helm3 helm4) || status=$?
  [ "$status" != 77 ] || skip "no helm: it cannot be built here, see the line before"
  [ "$status" = 0 ] || exit "$status"
  helms=("$folder/helm3" "$folder/helm4")
fi
for HELM in "${helms[@]}"; do
  "$HELM" version --short
  HELM=$HELM "$NODE" --test --test-timeout=120000 --test-reporter=./scripts/test-reporter.mjs \
    'test/lanes/helm/*.test.ts'
done
