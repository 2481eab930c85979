#!/usr/bin/env bash
# The lane "helm": Helm renders the values files of the worked plans with upstream's chart. CHART names the folder
# helm/ of a checkout of vllm-project/production-stack (chart 0.1.12, commit a6c01db0). Uses the helm on PATH, or
# builds it once below .cache/ with Go.
set -eu
skip() { echo "$1"; exit 77; }

[ -f "${CHART:-}/Chart.yaml" ] ||
  skip "CHART does not name the folder helm/ of a checkout of vllm-project/production-stack"
HELM=$(command -v helm || echo "$PWD/.cache/helm/helm")
if [ ! -x "$HELM" ]; then
  go=$(command -v go || echo /usr/local/go/bin/go)
  [ -x "$go" ] || skip "no helm and no go on PATH"
  mkdir -p .cache/helm
  GOBIN=$PWD/.cache/helm GOFLAGS=-mod=mod "$go" install helm.sh/helm/v3/cmd/helm@v3.18.6 ||
    skip "go could not build helm"
fi
export HELM CHART
exec "$NODE" --test --test-timeout=120000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/helm/*.test.ts'
