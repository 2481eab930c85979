"""Runs `vllm bench serve` with each list of arguments on standard input, one JSON list a line, in one process, since importing
vLLM takes longer than a run. Prints a line of JSON for each: the result, and the processor time of the run in seconds.
"""

import contextlib
import json
import sys
import time

from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser

for line in sys.stdin:
    parser = FlexibleArgumentParser()
    add_cli_args(parser)
    arguments = parser.parse_args(json.loads(line))
    start = time.process_time()
    with contextlib.redirect_stdout(sys.stderr):
        result = main(arguments)
    print(json.dumps({"result": result, "cpu": time.process_time() - start}), flush=True)
