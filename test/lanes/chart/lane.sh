#!/usr/bin/env bash
# The lane "chart": Helm 3 and 4 lint and render charts/spillway. HELM_PROGRAMS names the Helm programs to use, by
# default those that scripts/kubernetes-tools.sh builds with Go. Upstream's chart, tests and values files are in
# test/support/upstream; UPSTREAM names a checkout of another version.
set -eu
skip() { echo "$1"; exit 77; }

if [ -z "${HELM_PROGRAMS:-}" ]; then
  if [ -f scripts/kubernetes-tools.sh ]; then
    tools=$(bash scripts/kubernetes-tools.sh helm3 helm4) || skip "no Helm: Go could not build it"
    HELM_PROGRAMS="$tools/helm3 $tools/helm4"
  else
    HELM_PROGRAMS=$(command -v helm) || skip "no helm on PATH"
  fi
fi
export HELM_PROGRAMS
exec "$NODE" --test --test-timeout=900000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/chart/*.test.ts'
