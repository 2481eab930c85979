"""LMCache's own worker and its local backend against the controller of a cache server.

CONTROLLER_PORT is its first port and CONTROLLER_HTTP its API. Nothing of LMCache is changed; only the engine that carries
out orders is a stand-in, because the real one needs a GPU connector.
"""

import json
import os
import socket
import sys
import time
import unittest
import urllib.request

import torch
from lmcache.utils import CacheEngineKey
from lmcache.v1.cache_controller.worker import LMCacheWorker
from lmcache.v1.config import LMCacheEngineConfig
from lmcache.v1.memory_management import MemoryFormat
from lmcache.v1.metadata import LMCacheMetadata
from lmcache.v1.storage_backend.local_cpu_backend import LocalCPUBackend

PORT = int(os.environ["CONTROLLER_PORT"])
HTTP = os.environ["CONTROLLER_HTTP"]
TOKENS = 256
# The names of the first chunks of the prompt 0, 1, 2, ... under PYTHONHASHSEED 0, as recorded from an engine.
CHUNKS = (6847123751949154252, -782556766413655621)
PROMPT = list(range(600))
SECONDS_MAX = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def http(path: str, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(HTTP + path, data=data), timeout=20) as reply:
        return json.load(reply)


class Storage:
    local_cpu_backend = None


class Engine:
    """What the worker asks of an engine."""

    def __init__(self, backend: LocalCPUBackend):
        self.storage_manager = Storage()
        self.storage_manager.local_cpu_backend = backend
        self.frozen = []

    def freeze(self, frozen: bool) -> None:
        self.frozen.append(frozen)

    def health(self) -> int:
        return 0

    def clear(self, locations) -> int:
        backend = self.storage_manager.local_cpu_backend
        assert locations == ["LocalCPUBackend"]
        keys = backend.get_keys()
        for key in keys:
            backend.remove(key)
        return TOKENS * len(keys)

    def lookup(self, tokens, search_range, lookup_id, pin) -> int:
        assert tokens == PROMPT and pin and search_range == ["LocalCPUBackend"]
        return TOKENS * len(self.storage_manager.local_cpu_backend.get_keys())


class Client:
    def __init__(self, instance: str):
        config = LMCacheEngineConfig.from_defaults(
            max_local_cpu_size=0.1,
            chunk_size=TOKENS,
            enable_controller=True,
            lmcache_instance_id=instance,
            controller_pull_url=f"127.0.0.1:{PORT}",
            controller_reply_url=f"127.0.0.1:{PORT + 1}",
            lmcache_worker_ports=[free_port()],
            lmcache_worker_heartbeat_time=1,
            lmcache_worker_heartbeat_delay_time=0,
            extra_config={"full_sync_startup_delay_s": 0.1, "full_sync_status_poll_interval_s": 0.5},
        )
        metadata = LMCacheMetadata(
            model_name="fake",
            world_size=1,
            local_world_size=1,
            worker_id=0,
            local_worker_id=0,
            kv_dtype=torch.bfloat16,
            kv_shape=(1, 2, TOKENS, 1, 8),
        )
        engine = Engine(None)
        self.engine = engine
        self.worker = LMCacheWorker(config, metadata, engine)
        self.backend = LocalCPUBackend(
            config=config, metadata=metadata, dst_device="cpu", lmcache_worker=self.worker
        )
        engine.storage_manager.local_cpu_backend = self.backend

    def put(self, chunk: int) -> None:
        memory = self.backend.allocate(torch.Size([2, 1, TOKENS, 8]), torch.bfloat16, MemoryFormat.KV_2LTD)
        key = CacheEngineKey(
            model_name="fake", world_size=1, worker_id=0, chunk_hash=chunk, dtype=torch.bfloat16
        )
        self.backend.submit_put_task(key, memory)


def until(condition, what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {SECONDS_MAX} s"
        time.sleep(0.05)


def found(instance: str, chunks: int) -> bool:
    layout = http("/lookup", {"tokens": PROMPT})["layout_info"]
    return layout.get(instance) == (["LocalCPUBackend", TOKENS * chunks] if chunks else None)


class Worker(unittest.TestCase):
    def test_a_worker_reports_syncs_and_takes_orders(self):
        client = Client("lane-engine")
        until(lambda: http("/controller/workers")["total_count"] == 1, "registered")
        client.put(CHUNKS[0])
        until(lambda: found("lane-engine", 1), "the first chunk")
        client.put(CHUNKS[1])
        until(lambda: found("lane-engine", 2), "both chunks")
        self.assertEqual(client.engine.frozen, [])

        self.assertEqual(http("/health", {"instance_id": "lane-engine"})["error_codes"], {"0": 0})
        where = {"instance_id": "lane-engine", "location": "LocalCPUBackend"}
        self.assertEqual(http("/pin", {**where, "tokens": PROMPT})["num_tokens"], 512)

        # An admission that is lost on its way; batches are sent after 10 ms.
        original = client.worker.put_msg
        client.worker.put_msg = lambda message: None
        client.put(1234)
        time.sleep(1)
        client.worker.put_msg = original
        client.put(4321)
        until(lambda: http("/controller/key-stats")["total_key_count"] == 4, "all keys after a full sync")
        until(lambda: client.engine.frozen[-2:] == [True, False], "the end of the freeze")

        self.assertEqual(http("/clear", where)["num_tokens"], 1024)
        until(lambda: found("lane-engine", 0), "nothing after the clear")


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    sys.stderr.flush()
    # Threads of the worker would keep the process.
    os._exit(0 if result.wasSuccessful() else 1)
