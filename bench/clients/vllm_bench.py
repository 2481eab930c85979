"""Runs `vllm bench serve` with each list of arguments on standard input, one JSON list a line, in one process, since importing
vLLM takes longer than a run. Prints a line of JSON for each: the result, and the processor time in seconds of the part that
sends and receives, without the making of prompts.
"""

import contextlib
import json
import sys
import time

from vllm.benchmarks import serve
from vllm.utils.argparse_utils import FlexibleArgumentParser

cpu = 0.0
benchmark = serve.benchmark


async def timed(*args, **kwargs):
    global cpu
    start = time.process_time()
    result = await benchmark(*args, **kwargs)
    cpu = time.process_time() - start
    return result


serve.benchmark = timed

for line in sys.stdin:
    parser = FlexibleArgumentParser()
    serve.add_cli_args(parser)
    arguments = parser.parse_args(json.loads(line))
    with contextlib.redirect_stdout(sys.stderr):
        result = serve.main(arguments)
    print(json.dumps({"result": result, "cpu": cpu}), flush=True)
