"""The own client of a release of LMCache 0.3 (LMCACHE_RELEASE) against a cache server: lm:// and redis://.

CACHE_HOST, CACHE_LM_PORT and CACHE_RESP_PORT say where it listens. Nothing of LMCache is changed; it runs on the CPU.
Every value that comes back is compared with the one stored.
"""

import asyncio
import hashlib
import os
import sys
import threading
import unittest
from importlib.metadata import version

import torch
from lmcache.config import LMCacheEngineMetadata
from lmcache.utils import CacheEngineKey
from lmcache.v1.config import LMCacheEngineConfig
from lmcache.v1.memory_management import MemoryFormat
from lmcache.v1.storage_backend.local_cpu_backend import LocalCPUBackend
from lmcache.v1.storage_backend.remote_backend import RemoteBackend

HOST = os.environ["CACHE_HOST"]
LM_PORT = int(os.environ["CACHE_LM_PORT"])
RESP_PORT = int(os.environ["CACHE_RESP_PORT"])
MODEL = "fake/model"
# Layers, keys and values, tokens of a chunk, heads, size of a head: 1 MiB in bfloat16.
KV_SHAPE = (4, 2, 256, 2, 128)
SHAPE = torch.Size([2, 4, 256, 256])
PUT_SECONDS_MAX = 20


class Client:
    url = ""

    def setUp(self):
        self.assertEqual(version("lmcache"), os.environ["LMCACHE_RELEASE"])
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, daemon=True).start()
        config = LMCacheEngineConfig.from_defaults(
            remote_url=self.url, remote_serde="naive", max_local_cpu_size=0.25, chunk_size=256
        )
        metadata = LMCacheEngineMetadata(MODEL, 1, 0, "vllm", torch.bfloat16, KV_SHAPE)
        self.local = LocalCPUBackend(config, metadata, dst_device="cpu")
        self.backend = RemoteBackend(config, metadata, loop, self.local, dst_device="cpu")

    def key(self, number: int) -> CacheEngineKey:
        name = f"{type(self).__name__} {number}"
        # LMCache's own hash of tokens may be negative.
        digest = int(hashlib.sha256(name.encode()).hexdigest()[:15], 16) - 2**59
        return CacheEngineKey("vllm", MODEL, 1, 0, digest, torch.bfloat16)

    def value(self, seed: int):
        memory = self.local.allocate(SHAPE, torch.bfloat16, MemoryFormat.KV_2LTD)
        random = torch.Generator().manual_seed(seed)
        memory.tensor.copy_(torch.randn(SHAPE, generator=random).to(torch.bfloat16))
        return memory

    def put(self, number: int, seed: int) -> None:
        self.backend.submit_put_task(self.key(number), self.value(seed)).result(timeout=PUT_SECONDS_MAX)

    def test_values_come_back_as_they_were_stored_and_misses_are_misses(self):
        for number in range(8):
            self.assertFalse(self.backend.contains(self.key(number)))
            self.put(number, number)
        self.assertIsNone(self.backend.get_blocking(self.key(100)))
        for number in range(8):
            self.assertTrue(self.backend.contains(self.key(number)))
            loaded = self.backend.get_blocking(self.key(number))
            self.assertIsNotNone(loaded, number)
            self.assertEqual(loaded.tensor.dtype, torch.bfloat16)
            self.assertTrue(torch.equal(loaded.tensor, self.value(number).tensor), number)

    def test_a_prefix_is_found_up_to_its_first_gap(self):
        for number in (20, 21, 23):
            self.put(number, number)
        keys = [self.key(number) for number in range(20, 24)]
        found = [self.backend.contains(key) for key in keys]
        self.assertEqual(found, [True, True, False, True])
        loaded = self.backend.batched_get_blocking(keys[:2])
        self.assertTrue(torch.equal(loaded[1].tensor, self.value(21).tensor))

    def test_a_value_is_replaced(self):
        self.put(30, 1)
        self.put(30, 2)
        self.assertTrue(self.backend.contains(self.key(30)))
        loaded = self.backend.get_blocking(self.key(30))
        self.assertTrue(torch.equal(loaded.tensor, self.value(2).tensor))


class Lm(Client, unittest.TestCase):
    url = f"lm://{HOST}:{LM_PORT}"


class Redis(Client, unittest.TestCase):
    url = f"redis://{HOST}:{RESP_PORT}"


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    sys.stderr.flush()
    # Threads of clients that are not closed would keep the process.
    os._exit(0 if result.wasSuccessful() else 1)
