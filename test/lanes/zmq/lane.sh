#!/usr/bin/env bash
# Exchanges messages with libzmq (through pyzmq) in both directions. Needs Python 3 with venv, and
# PyPI the first time.
set -euo pipefail

skip() { echo "$1"; exit 77; }

venv=.cache/lane-zmq
pyzmq=27.3.0
python=$venv/bin/python
if ! "$python" -c "import zmq, sys; sys.exit(zmq.__version__ != '$pyzmq')" 2>/dev/null; then
  command -v python3 >/dev/null || skip 'no python3 on this machine'
  rm -rf "$venv"
  python3 -m venv "$venv" || skip 'python3 has no venv module (Debian: apt-get install python3-venv)'
  "$venv/bin/pip" install --quiet --disable-pip-version-check "pyzmq==$pyzmq" ||
    skip "pip could not install pyzmq $pyzmq"
fi
"$python" -c 'import zmq; print("pyzmq", zmq.__version__, "libzmq", zmq.zmq_version())'
LANE_PYTHON=$python "$NODE" --test --test-timeout=60000 --test-reporter=./scripts/test-reporter.mjs test/lanes/zmq/zmq.test.ts
