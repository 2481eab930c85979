#!/usr/bin/env bash
# The lane "cache": clients of KV caches, unmodified, against `spillway cache`: LMCache's own, redis-py,
# Valkey GLIDE, ioredis, redis-cli and redis-benchmark; the recorded replies of Redis against a real one,
# and an S3 server below it.
# Python packages go to the user's cache folder (about 5 GB, most of it torch), once per requirements.txt;
# Redis comes from PATH, or from Debian's packages, which are unpacked there too.
set -eu
skip() { echo "$1"; exit 77; }

here=test/lanes/cache
lanes=${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes
cache=$lanes/cache-$(sha256sum $here/requirements.txt | cut -c 1-12)
mkdir -p "$cache"
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || skip "LMCache has wheels for Linux x86-64 only"

CACHE_PYTHON=$cache/venv/bin/python
if [ ! -f "$cache/venv/complete" ]; then
  disk_kib=$(df --output=avail "$cache" | tail -n 1)
  [ "$disk_kib" -gt $((10 * 1024 * 1024)) ] || skip "LMCache and torch need 10 GiB of free disk in $cache"
  base=
  for name in python3.12 python3.11 python3; do
    "$name" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && base=$name && break
  done
  [ -n "$base" ] || skip "no Python 3.11 or 3.12 with venv"
  "$base" -m venv --clear "$cache/venv"
  { "$CACHE_PYTHON" -m pip install --quiet --disable-pip-version-check uv==0.13.8 &&
    "$cache/venv/bin/uv" pip install --quiet --no-deps --python "$CACHE_PYTHON" -r $here/requirements.txt; } ||
    skip "the clients of $here/requirements.txt could not be installed from PyPI"
  touch "$cache/venv/complete"
fi
export CACHE_PYTHON

# Beside it, without dependencies of their own: those of the newer one suffice. Without them, their tests are skipped and say so.
# 0.3.9.post2 is in the image that plans pin, 0.3.11 in upstream's router.
LMCACHE_0_3=$lanes
[ -d "$lanes/lmcache-0.3.9.post2/lmcache" ] ||
  "$cache/venv/bin/uv" pip install --quiet --no-deps --python "$CACHE_PYTHON" --target "$lanes/lmcache-0.3.9.post2" lmcache==0.3.9.post2 || true
[ -d "$lanes/lmcache-0.3.11/lmcache" ] ||
  "$cache/venv/bin/uv" pip install --quiet --no-deps --python "$CACHE_PYTHON" --target "$lanes/lmcache-0.3.11" lmcache==0.3.11 || true
export LMCACHE_0_3

# Without it, the tests that need Redis are skipped and say so.
REDIS_BIN=$(dirname "$(command -v redis-server || echo "$lanes/redis-7/usr/bin/redis-server")")
if [ ! -x "$REDIS_BIN/redis-server" ] && command -v apt-get > /dev/null; then
  rm -rf "$lanes/redis-7" && mkdir -p "$lanes/redis-7"
  packages="redis-server redis-tools liblzf1 libjemalloc2 liblua5.1-0 lua-cjson lua-bitop libatomic1"
  # Downloaded and unpacked, not installed, so the lane needs no root and starts no service.
  # shellcheck disable=SC2086
  (cd "$lanes/redis-7" && { apt-get download -qq $packages || { apt-get update -qq && apt-get download -qq $packages; }; } &&
    for package in *.deb; do dpkg -x "$package" . && rm "$package"; done) > /dev/null 2>&1 || true
  export LD_LIBRARY_PATH=$lanes/redis-7/usr/lib/x86_64-linux-gnu:$lanes/redis-7/lib/x86_64-linux-gnu
elif [ "$REDIS_BIN" = "$lanes/redis-7/usr/bin" ]; then
  export LD_LIBRARY_PATH=$lanes/redis-7/usr/lib/x86_64-linux-gnu:$lanes/redis-7/lib/x86_64-linux-gnu
fi
export REDIS_BIN

# ioredis, from the npm registry.
IOREDIS=$lanes/ioredis-5.8.2
[ -d "$IOREDIS/node_modules/ioredis" ] ||
  npm install --silent --no-audit --no-fund --prefix "$IOREDIS" ioredis@5.8.2 ||
  skip "ioredis could not be installed from the npm registry"
export IOREDIS

# An S3 server, built from the Go module proxy once (20 s); without it, its test is skipped and says so.
S3_BIN=$lanes/gofakes3-1.2.0/gofakes3
if [ ! -x "$S3_BIN" ] && command -v go > /dev/null; then
  mkdir -p "$(dirname "$S3_BIN")"
  GOBIN=$(dirname "$S3_BIN") GOFLAGS=-mod=mod go install github.com/johannesboyne/gofakes3/cmd/gofakes3@v1.2.0 > /dev/null 2>&1 || true
fi
export S3_BIN

exec "$NODE" --test --test-timeout=300000 --test-reporter=./scripts/test-reporter.mjs $here/*.test.ts
