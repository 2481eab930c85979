"""Runs guidellm with each list of arguments on standard input, one JSON list a line, in one process, since importing it takes
longer than a run. Prints a line of JSON for each: the report, and the processor time of the run with its worker processes, in
seconds. A run with a handful of requests says how much of it is spent on starting workers.
"""

import contextlib
import json
import resource
import sys
import tempfile
from pathlib import Path

from guidellm.cli import cli


def cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.json"
            start = cpu_seconds()
            with contextlib.redirect_stdout(sys.stderr):
                arguments = ["run", *json.loads(line), "--output", f"kind=json,path={file}", "--disable-console"]
                cli.main(arguments, standalone_mode=False)
            cpu = cpu_seconds() - start
            metrics = json.loads(file.read_text())["benchmarks"][0]["metrics"]
        print(json.dumps({"result": metrics, "cpu": cpu}), flush=True)


# Its workers are spawned, and import this file.
if __name__ == "__main__":
    main()
