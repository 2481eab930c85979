#!/usr/bin/env bash
# The lane "api": router and operator against a real API server of Kubernetes 1.36, whose pods are embedded engines on addresses of this
# machine's loopback network, and the chart, which Helm installs there. scripts/kubernetes-tools.sh builds the programs.
# Releases of upstream's chart (test/support/upstream, or the checkout that UPSTREAM names) are upgraded.
set -u
skip() { echo "$1"; exit 77; }

[ "$(uname -s)" = Linux ] || skip "only Linux answers on all addresses of 127.0.0.0/8, which are those of the pods"
reason=$(mktemp)
TOOLS=$(scripts/kubernetes-tools.sh kube kwok helm3 helm4 2> "$reason")
status=$?
cat "$reason"
rm -f "$reason"
# The last line is the reason.
[ "$status" -eq 0 ] || exit "$status"
export TOOLS HELM_PROGRAMS="$TOOLS/helm3"
exec "$NODE" --test --test-timeout=300000 --test-reporter=./scripts/test-reporter.mjs 'test/lanes/api/*.test.ts'
