"""The endpoints for the Python clients, from environment variables set by python-clients.test.ts."""

import json
import os
import time
import urllib.request

# Without /v1: an engine, or the router before two of them.
URL = os.environ["CLIENTS_URL"]
API_KEY = os.environ["CLIENTS_API_KEY"]
MODEL = os.environ["CLIENTS_MODEL"]
# The engines themselves, for their /metrics.
ENGINE_URLS = os.environ["CLIENTS_ENGINE_URLS"].split(",")

WEATHER_SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Paris", "Oslo"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}


def running_requests() -> int:
    """Number of requests that run or wait on all engines, from their own gauges."""
    return _total("vllm:num_requests_running{") + _total("vllm:num_requests_waiting{")


def generated_tokens() -> int:
    """Number of tokens that all engines have generated since they started."""
    return _total("vllm:generation_tokens_total{")


def wait_until_idle() -> None:
    """Waits until no request runs, with a deadline, because an abort travels over sockets."""
    deadline = time.monotonic() + 20
    while running_requests() > 0:
        if time.monotonic() > deadline:
            raise AssertionError(f"{running_requests()} requests still run on the engines")
        time.sleep(0.02)


def wait_until_seen_idle() -> None:
    """Waits until the router has read from all engines that they are idle: it counts on what it has read last."""
    wait_until_idle()
    deadline = time.monotonic() + 20
    request = urllib.request.Request(f"{URL}/engines", headers={"authorization": f"Bearer {API_KEY}"})
    while True:
        with urllib.request.urlopen(request, timeout=10) as page:
            reports = [engine["reported"] or {} for engine in json.load(page)]
        if all(report.get("running") == 0 and report.get("waiting") == 0 for report in reports):
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"the router does not see idle engines: {reports}")
        time.sleep(0.05)


def _total(beginning: str) -> int:
    total = 0.0
    for url in ENGINE_URLS:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as page:
            for line in page.read().decode().splitlines():
                if line.startswith(beginning):
                    total += float(line.rsplit(" ", 1)[1])
    return int(total)


def assert_weather(arguments: str | dict) -> None:
    """Checks that arguments of a tool call match WEATHER_SCHEMA."""
    values = json.loads(arguments) if isinstance(arguments, str) else arguments
    assert set(values) == {"city", "days"}, values
    assert values["city"] in ("Paris", "Oslo"), values
    assert type(values["days"]) is int and 1 <= values["days"] <= 14, values
