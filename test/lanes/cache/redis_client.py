"""redis-py and Valkey GLIDE against a cache server; CACHE_HOST and CACHE_RESP_PORT say where it listens."""

import os
import threading
import unittest

import redis
from glide_sync import GlideClient, GlideClientConfiguration, NodeAddress

HOST = os.environ["CACHE_HOST"]
PORT = int(os.environ["CACHE_RESP_PORT"])
LARGE = os.urandom(4 << 20)


class RedisPy:
    protocol = 2

    def setUp(self):
        self.client = redis.Redis(HOST, PORT, protocol=self.protocol)
        self.addCleanup(self.client.close)
        self.client.flushall()

    def test_values_of_all_sizes_come_back(self):
        for size in (0, 1, 65_535, 65_536, 65_537, 1 << 20, 4 << 20):
            self.assertTrue(self.client.set("k", LARGE[:size]))
            self.assertEqual(self.client.get("k"), LARGE[:size])
            self.assertEqual(self.client.strlen("k"), size)
        self.assertIsNone(self.client.get("nothing"))

    def test_ranges(self):
        self.client.set("k", LARGE)
        size = len(LARGE)
        for first, last in ((0, 9), (-9, -1), (65_530, 65_540), (5, 2), (-2 * size, 3), (0, -1), (9, 2 * size)):
            start, end = (max(0, at + size if at < 0 else at) for at in (first, last))
            self.assertEqual(self.client.getrange("k", first, last), LARGE[start : end + 1], (first, last))

    def test_times(self):
        self.client.set("k", "v", ex=100)
        self.assertEqual(self.client.ttl("k"), 100)
        self.assertTrue(self.client.expire("k", 200, gt=True))
        self.assertFalse(self.client.expire("k", 300, lt=True))
        self.assertTrue(self.client.persist("k"))
        self.assertEqual(self.client.ttl("k"), -1)
        self.assertEqual(self.client.set("k", "w", keepttl=True, get=True), b"v")
        self.client.set("k", "x", exat=1)
        self.assertIsNone(self.client.get("k"))

    def test_conditions(self):
        self.assertTrue(self.client.set("k", LARGE, nx=True))
        self.assertIsNone(self.client.set("k", LARGE[:9], nx=True))
        self.assertTrue(self.client.set("k", LARGE[:9], xx=True))
        self.assertEqual(self.client.mget("k", "nothing"), [LARGE[:9], None])
        self.assertEqual(self.client.exists("k", "k", "nothing"), 2)
        self.assertEqual(self.client.delete("k", "nothing"), 1)

    def test_a_pipeline_keeps_its_order(self):
        with self.client.pipeline(transaction=False) as pipe:
            for i in range(500):
                pipe.set(f"k{i}", f"v{i}")
                pipe.get(f"k{i}")
            replies = pipe.execute()
        self.assertEqual(replies[1::2], [f"v{i}".encode() for i in range(500)])

    def test_a_transaction_is_executed_as_a_whole_or_not_at_all(self):
        with self.client.pipeline() as pipe:
            pipe.set("a", 1).get("a").set("large", LARGE).get("large").getex("a", ex=100).ttl("a").mget("a", "no").delete("a")
            replies = pipe.execute()
        self.assertEqual(replies[1:], [b"1", True, LARGE, b"1", 100, [b"1", None], 1])
        with self.client.pipeline() as pipe:
            pipe.set("b", 1).execute_command("NOSUCH")
            with self.assertRaisesRegex(redis.ResponseError, "unknown command 'NOSUCH'"):
                pipe.execute()
        self.assertIsNone(self.client.get("b"))
        self.assertEqual(self.client.keys("*"), [b"large"])

    def test_a_transaction_that_relies_on_a_changed_value_is_not_executed(self):
        self.client.set("n", 0)
        with self.client.pipeline() as pipe:
            pipe.watch("n")
            self.client.set("n", 7)
            pipe.multi()
            pipe.set("n", 1)
            with self.assertRaises(redis.WatchError):
                pipe.execute()
            pipe.watch("n")
            self.client.set("n", 8)
            pipe.unwatch()
            pipe.get("n")
            self.assertEqual(pipe.execute(), [b"8"])
        counted = redis.Redis(HOST, PORT, protocol=self.protocol)
        self.addCleanup(counted.close)

        def add(client):
            def step(pipe):
                value = int(pipe.get("n"))
                pipe.multi()
                pipe.set("n", value + 1)

            for _ in range(50):
                client.transaction(step, "n")

        threads = [threading.Thread(target=add, args=(one,)) for one in (self.client, counted)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client.get("n"), b"108")

    def test_the_list_of_clients_has_this_one(self):
        own = self.client.client_info()
        self.assertEqual((own["lib-name"], own["resp"]), ("redis-py", str(self.protocol)))
        self.assertIn(str(own["id"]), [one["id"] for one in self.client.client_list()])
        self.assertEqual(self.client.info("keyspace"), {})
        self.assertGreater(self.client.time()[0], 1_700_000_000)

    def test_a_scan_reports_all_keys(self):
        self.client.mset({f"k{i}": "v" for i in range(250)})
        found = sorted(self.client.scan_iter("k1*", count=7))
        self.assertEqual(found, sorted(f"k{i}".encode() for i in range(250) if str(i)[0] == "1"))
        self.assertEqual(self.client.dbsize(), 250)

    def test_errors_and_the_server(self):
        with self.assertRaisesRegex(redis.ResponseError, "unknown command 'LPUSH'"):
            self.client.lpush("k", "v")
        with self.assertRaisesRegex(redis.ResponseError, "invalid expire time in 'set' command"):
            self.client.set("k", "v", ex=0)
        self.assertEqual(self.client.info("replication")["role"], "master")
        self.assertTrue(self.client.client_setname("lane"))
        self.assertIn(self.client.client_getname(), ("lane", b"lane"))
        self.assertGreater(int(self.client.config_get("maxmemory")["maxmemory"]), 0)
        self.assertEqual(self.client.memory_usage("nothing"), None)
        self.assertIn(self.client.acl_whoami(), ("default", b"default"))


class RedisPyResp2(RedisPy, unittest.TestCase):
    protocol = 2


class RedisPyResp3(RedisPy, unittest.TestCase):
    protocol = 3


class Glide(unittest.TestCase):
    def setUp(self):
        config = GlideClientConfiguration([NodeAddress(HOST, PORT)], request_timeout=10_000)
        self.client = GlideClient.create(config)
        self.addCleanup(self.client.close)

    def test_values_come_back(self):
        self.assertEqual(self.client.set("glide", LARGE), "OK")
        self.assertEqual(self.client.get("glide"), LARGE)
        self.assertEqual(self.client.exists(["glide", "nothing"]), 1)
        self.assertIsNone(self.client.get("nothing"))
        self.assertEqual(self.client.delete(["glide"]), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
