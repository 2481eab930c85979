"""Runs guidellm with each list of arguments on standard input, one JSON list a line, in one process, since importing it takes
longer than a run. Prints a line of JSON for each: the report, and the processor time in seconds of the part that sends and
receives: of its worker process and of this process, which gives it requests and collects the results, without the start of the
worker.
"""

import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from guidellm.scheduler.worker import WorkerProcess
from guidellm.scheduler.worker_group import WorkerProcessGroup

FOLDER = "GUIDELLM_BENCH_FOLDER"


def timed(cls, first: str, last: str) -> None:
    """Writes the processor time between the beginnings of two methods into a file of the process."""
    before, after = getattr(cls, first), getattr(cls, last)

    async def begin(self, *args):
        self.cpu_start = time.process_time()
        return await before(self, *args)

    async def end(self, *args):
        if hasattr(self, "cpu_start"):
            seconds = time.process_time() - self.cpu_start
            Path(os.environ[FOLDER], f"{os.getpid()}.cpu").write_text(str(seconds))
        return await after(self, *args)

    setattr(cls, first, begin)
    setattr(cls, last, end)


# Its workers are spawned, and import this file.
timed(WorkerProcess, "_process_requests_loop", "_processing_shutdown")
timed(WorkerProcessGroup, "start", "shutdown")


def main() -> None:
    from guidellm.cli import cli

    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            os.environ[FOLDER] = folder
            file = Path(folder) / "report.json"
            with contextlib.redirect_stdout(sys.stderr):
                arguments = ["run", *json.loads(line), "--output", f"kind=json,path={file}", "--disable-console"]
                cli.main(arguments, standalone_mode=False)
            cpu = sum(float(part.read_text()) for part in Path(folder).glob("*.cpu"))
            metrics = json.loads(file.read_text())["benchmarks"][0]["metrics"]
        print(json.dumps({"result": metrics, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main()
