"""LMCache's own clients against a cache server: those of an engine, and the L2 adapters of multiprocess mode.

CACHE_HOST, CACHE_LM_PORT and CACHE_RESP_PORT say where it listens. Nothing of LMCache is changed; it runs on the CPU.
Every value that comes back is compared with the one stored.
"""

import argparse
import asyncio
import hashlib
import json
import os
import select
import signal
import sys
import threading
import time
import unittest

import torch
from lmcache.utils import CacheEngineKey
from lmcache.v1.config import LMCacheEngineConfig
from lmcache.v1.distributed.api import ObjectKey
from lmcache.v1.distributed.internal_api import L1MemoryDesc
from lmcache.v1.distributed.l2_adapters import create_l2_adapter
from lmcache.v1.distributed.l2_adapters.config import parse_args_to_l2_adapters_config
from lmcache.v1.memory_management import MemoryFormat, MemoryObjMetadata, TensorMemoryObj
from lmcache.v1.metadata import LMCacheMetadata
from lmcache.v1.platform import consume_fd
from lmcache.v1.storage_backend import RemoteBackend
from lmcache.v1.storage_backend.local_cpu_backend import LocalCPUBackend

HOST = os.environ["CACHE_HOST"]
LM_PORT = int(os.environ["CACHE_LM_PORT"])
RESP_PORT = int(os.environ["CACHE_RESP_PORT"])
TOKENS = 256
# Layers, keys and values, tokens of a chunk, heads, size of a head: 1 MiB in bfloat16.
KV_SHAPE = (4, 2, TOKENS, 2, 128)
PUT_SECONDS_MAX = 20
RESTART_SECONDS_MAX = 60


class InProcess:
    """The remote backend of an engine, as LMCache builds it for a `remote_url`."""

    def __init__(self, url: str, model: str):
        self.model = model
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        config = LMCacheEngineConfig.from_defaults(
            remote_url=url, remote_serde="naive", max_local_cpu_size=0.25, chunk_size=TOKENS
        )
        metadata = LMCacheMetadata(
            model_name=model,
            world_size=1,
            local_world_size=1,
            worker_id=0,
            local_worker_id=0,
            kv_dtype=torch.bfloat16,
            kv_shape=KV_SHAPE,
        )
        self.local = LocalCPUBackend(config=config, metadata=metadata, dst_device="cpu")
        self.backend = RemoteBackend(
            config=config,
            metadata=metadata,
            loop=self.loop,
            local_cpu_backend=self.local,
            dst_device="cpu",
        )

    def key(self, name: str) -> CacheEngineKey:
        digest = int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)
        return CacheEngineKey(
            model_name=self.model, world_size=1, worker_id=0, chunk_hash=digest, dtype=torch.bfloat16
        )

    def value(self, seed: int):
        layers, two, tokens, heads, size = KV_SHAPE
        shape = torch.Size([two, layers, tokens, heads * size])
        memory = self.local.allocate(shape, torch.bfloat16, MemoryFormat.KV_2LTD)
        random = torch.Generator().manual_seed(seed)
        memory.tensor.copy_(torch.randn(shape, generator=random).to(torch.bfloat16))
        return memory

    def put(self, name: str, memory) -> None:
        self.backend.submit_put_task(self.key(name), memory).result(timeout=PUT_SECONDS_MAX)


class InProcessTest:
    url = ""
    # The `close` of the redis and resp connectors waits for a task of the loop that it runs on, without end.
    closes = False

    def setUp(self):
        self.client = InProcess(self.url, f"fake/{type(self).__name__}")
        if self.closes:
            self.addCleanup(self.client.backend.close)

    def test_values_come_back_as_they_were_stored(self):
        client = self.client
        stored = {f"chunk {i}": client.value(i) for i in range(8)}
        for name, memory in stored.items():
            self.assertFalse(client.backend.contains(client.key(name)))
            client.put(name, memory)
        for name, memory in stored.items():
            self.assertTrue(client.backend.contains(client.key(name)))
            loaded = client.backend.get_blocking(client.key(name))
            self.assertIsNotNone(loaded, name)
            self.assertEqual(loaded.tensor.dtype, memory.tensor.dtype)
            self.assertTrue(torch.equal(loaded.tensor, memory.tensor), name)

    def test_a_prefix_is_found_up_to_its_first_gap(self):
        client = self.client
        for i in (0, 1, 3):
            client.put(f"prefix {i}", client.value(i))
        keys = [client.key(f"prefix {i}") for i in range(4)]
        self.assertEqual(client.backend.batched_contains(keys), 2)
        loaded = client.backend.batched_get_blocking(keys[:2])
        self.assertTrue(torch.equal(loaded[1].tensor, client.value(1).tensor))

    def test_a_value_is_replaced(self):
        client = self.client
        client.put("replaced", client.value(1))
        client.put("replaced", client.value(2))
        self.assertTrue(client.backend.contains(client.key("replaced")))
        loaded = client.backend.get_blocking(client.key("replaced"))
        self.assertTrue(torch.equal(loaded.tensor, client.value(2).tensor))


class Missing:
    def test_a_miss_is_a_miss_and_the_connection_goes_on(self):
        client = self.client
        for i in range(3):
            self.assertIsNone(client.backend.get_blocking(client.key(f"nothing {i}")))
        client.put("something", client.value(5))
        self.assertTrue(client.backend.contains(client.key("something")))
        loaded = client.backend.get_blocking(client.key("something"))
        self.assertTrue(torch.equal(loaded.tensor, client.value(5).tensor))


class Lm(InProcessTest, Missing, unittest.TestCase):
    url = f"lm://{HOST}:{LM_PORT}"
    closes = True


class LmKept(unittest.TestCase):
    """`spillway cache --front` keeps this client, which never reconnects, while its store restarts. CACHE_PID is the front."""

    def setUp(self):
        self.client = InProcess(f"lm://{HOST}:{LM_PORT}", f"fake/{type(self).__name__}")
        self.addCleanup(self.client.backend.close)

    def test_a_restart_of_the_store_costs_misses_only(self):
        client = self.client
        kept = client.value(1)
        client.put("kept", kept)
        self.assertTrue(client.backend.contains(client.key("kept")))
        os.kill(int(os.environ["CACHE_PID"]), signal.SIGHUP)
        misses, longest = 0, 0.0
        deadline = time.monotonic() + RESTART_SECONDS_MAX
        loaded = None
        while loaded is None or misses == 0:
            self.assertLess(time.monotonic(), deadline, f"{misses} misses")
            began = time.monotonic()
            loaded = client.backend.get_blocking(client.key("kept"))
            longest = max(longest, time.monotonic() - began)
            misses += loaded is None
            # A test client on one core should not keep the store from starting.
            time.sleep(0.01)
        self.assertTrue(torch.equal(loaded.tensor, kept.tensor))
        self.assertLess(longest, 1.0)
        client.put("after", client.value(2))
        self.assertTrue(client.backend.contains(client.key("after")))
        loaded = client.backend.get_blocking(client.key("after"))
        self.assertTrue(torch.equal(loaded.tensor, client.value(2).tensor))


class Redis(InProcessTest, Missing, unittest.TestCase):
    url = f"redis://{HOST}:{RESP_PORT}"


class Valkey(InProcessTest, Missing, unittest.TestCase):
    url = f"valkey://{HOST}:{RESP_PORT}"
    closes = True


class Resp(InProcessTest, unittest.TestCase):
    """In-process `resp://` takes any reply for a hit, so that misses are not asked for."""

    url = f"resp://{HOST}:{RESP_PORT}"


class Adapter:
    """An L2 adapter of multiprocess mode with eight objects of 1 MiB in memory."""

    kind = ""
    elements = 1 << 19

    def setUp(self):
        spec = json.dumps({"type": self.kind, **self.address})
        config = parse_args_to_l2_adapters_config(argparse.Namespace(l2_adapter=[spec])).adapters[0]
        self.memory = torch.empty(8 * self.elements, dtype=torch.bfloat16)
        self.adapter = create_l2_adapter(
            config,
            l1_memory_desc=L1MemoryDesc(
                ptr=self.memory.data_ptr(),
                size=self.memory.numel() * self.memory.element_size(),
                align_bytes=self.memory.element_size(),
            ),
        )
        self.addCleanup(self.adapter.close)

    def key(self, name: str) -> ObjectKey:
        return ObjectKey(
            chunk_hash=hashlib.sha256(name.encode()).digest(),
            model_name=f"fake/{type(self).__name__}",
            kv_rank=0x01000100,
        )

    def object(self, place: int, seed: int | None = None) -> TensorMemoryObj:
        raw = self.memory[place * self.elements : (place + 1) * self.elements]
        if seed is None:
            raw.zero_()
        else:
            raw.copy_(torch.randn(self.elements, generator=torch.Generator().manual_seed(seed)))
        metadata = MemoryObjMetadata(
            shape=torch.Size([self.elements]),
            dtype=torch.bfloat16,
            address=raw.data_ptr(),
            phy_size=raw.numel() * raw.element_size(),
            fmt=MemoryFormat.KV_2LTD,
            ref_count=1,
        )
        return TensorMemoryObj(raw, metadata, parent_allocator=None)

    def wait(self, descriptor: int) -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        self.assertTrue(poll.poll(PUT_SECONDS_MAX * 1000), "no result in time")
        consume_fd(descriptor)

    def store(self, names, objects) -> None:
        task = self.adapter.submit_store_task([self.key(name) for name in names], objects)
        self.wait(self.adapter.get_store_event_fd())
        self.assertTrue(self.adapter.pop_completed_store_tasks()[task].is_successful())

    def lookup(self, names):
        keys = [self.key(name) for name in names]
        task = self.adapter.submit_lookup_and_lock_task(keys, {})
        self.wait(self.adapter.get_lookup_and_lock_event_fd())
        found = self.adapter.query_lookup_and_lock_result(task)
        self.adapter.submit_unlock(keys)
        return [bool(found.test(i)) for i in range(len(names))]

    def load(self, names, objects):
        task = self.adapter.submit_load_task([self.key(name) for name in names], objects)
        self.wait(self.adapter.get_load_event_fd())
        loaded = self.adapter.query_load_result(task)
        return [bool(loaded.test(i)) for i in range(len(names))]

    def test_objects_come_back_as_they_were_stored(self):
        self.assertEqual(self.lookup(["a", "b"]), [False, False])
        stored = [self.object(0, seed=1), self.object(1, seed=2)]
        self.store(["a", "b"], stored)
        self.assertEqual(self.lookup(["a", "x", "b"]), [True, False, True])
        loaded = [self.object(2), self.object(3)]
        self.assertEqual(self.load(["a", "b"], loaded), [True, True])
        for before, after in zip(stored, loaded):
            self.assertTrue(torch.equal(before.tensor, after.tensor))

    def test_a_miss_is_a_miss_at_once_and_every_worker_goes_on(self):
        self.store(["c"], [self.object(0, seed=3)])
        # More misses than there are workers with a connection.
        for _ in range(3):
            self.assertEqual(
                self.load([f"nothing {i}" for i in range(6)], [self.object(i + 1) for i in range(6)]),
                [False] * 6,
            )
        self.assertEqual(self.load(["c"] * 6, [self.object(i + 1) for i in range(6)]), [True] * 6)
        for i in range(6):
            part = self.memory[(i + 1) * self.elements : (i + 2) * self.elements]
            self.assertTrue(torch.equal(part, self.memory[: self.elements]))


class MultiprocessResp(Adapter, unittest.TestCase):
    kind = "resp"
    address = {"host": HOST, "port": RESP_PORT}


class MultiprocessValkey(Adapter, unittest.TestCase):
    kind = "valkey"
    address = {"startup_nodes": f"{HOST}:{RESP_PORT}"}


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    sys.stderr.flush()
    # Threads of clients that are not closed would keep the process.
    os._exit(0 if result.wasSuccessful() else 1)
