#!/usr/bin/env bash
# The lane "clients": third-party programs, unmodified, against embedded engines and our router.
# Python packages are installed into the user's cache folder, once per requirements.txt; vLLM (for
# its benchmark) comes from the lane "vllm"; Prometheus from PATH, or from Debian's package, which
# is unpacked there too.
set -eu
skip() { echo "$1"; exit 77; }

here=test/lanes/clients
lanes=${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes
cache=$lanes/clients-$(sha256sum $here/requirements.txt | cut -c 1-12)
mkdir -p "$cache"

CLIENTS_PYTHON=$cache/venv/bin/python
if [ ! -f "$cache/venv/complete" ]; then
  python3 -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null ||
    skip "no Python 3.10 or newer with venv"
  python3 -m venv --clear "$cache/venv"
  # pip takes minutes for this many packages on a busy machine, uv takes seconds.
  { "$CLIENTS_PYTHON" -m pip install --quiet --disable-pip-version-check uv==0.13.8 &&
    "$cache/venv/bin/uv" pip install --quiet --python "$CLIENTS_PYTHON" -r $here/requirements.txt; } ||
    skip "the clients of $here/requirements.txt could not be installed from PyPI"
  touch "$cache/venv/complete"
fi
export CLIENTS_PYTHON

# guidellm loads torch; both need 6 GB of disk. Without it, its tests are skipped and say why.
load=$lanes/guidellm-0.8.1
if [ ! -f "$load/complete" ]; then
  free_kib=$(df -Pk "$lanes" | awk 'NR == 2 { print $4 }')
  if [ "$free_kib" -gt $((12 * 1024 * 1024)) ] && [ -x "$cache/venv/bin/uv" ]; then
    "$cache/venv/bin/uv" venv --quiet --clear "$load/venv" &&
      "$cache/venv/bin/uv" pip install --quiet --python "$load/venv/bin/python" guidellm==0.8.1 openai==3.54.0 pandas &&
      touch "$load/complete" || true
  fi
fi
if [ -f "$load/complete" ]; then
  export LOAD_PYTHON=$load/venv/bin/python
else
  export LOAD_MISSING="guidellm 0.8.1 could not be installed from PyPI, or less than 12 GiB of disk are free"
fi

# Without these two, the tests that need them are skipped and say why.
if said=$(bash -ec '. test/lanes/vllm/install.sh; echo "$VLLM_PYTHON"'); then
  export VLLM_PYTHON=${said##*$'\n'}
else
  export VLLM_MISSING=${said##*$'\n'}
fi

PROMETHEUS_BIN=$(dirname "$(command -v promtool || echo "$lanes/prometheus/usr/bin/promtool")")
if [ ! -x "$PROMETHEUS_BIN/prometheus" ] && command -v apt-get > /dev/null; then
  rm -rf "$lanes/prometheus" && mkdir -p "$lanes/prometheus"
  # Downloaded and unpacked, not installed, so the lane needs no root and starts no service.
  (cd "$lanes/prometheus" && { apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }; } &&
    dpkg -x prometheus_*.deb . && rm prometheus_*.deb) > /dev/null 2>&1 || true
fi
export PROMETHEUS_BIN

exec "$NODE" --test --test-timeout=600000 --test-reporter=./scripts/test-reporter.mjs $here/*.test.ts
