// Clients of KV caches, unmodified, against `spillway cache`.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePortRuns, freePorts } from '../../../src/io/processes/index.ts';
import { redisDialogue } from '../../support/cache.ts';
import { bytesOfKey, sizeOfKey } from '../../support/cache-load.ts';
import { until } from '../../support/until.ts';
import {
  lmcache03,
  lmcache03Missing,
  redisMissing,
  runIoredis,
  runPython,
  runPythonTests,
  runRedisTool,
  s3Missing,
  startCache,
  startRedis,
  startS3,
} from './programs.ts';

// LMCache's threads outlive its clients, so that each has a process of its own.
for (const [name, min] of [
  ['Lm', 4],
  ['Redis', 4],
  ['Valkey', 4],
  ['Resp', 3],
  ['MultiprocessResp', 2],
  ['MultiprocessValkey', 2],
] as const) {
  test(`LMCache's client ${name} stores, looks up and loads`, async (t) => {
    const server = await startCache(t, ['--memory', '256MiB']);
    await runPythonTests('lmcache_client.py', server, { only: name, min });
  });
}

for (const release of ['0.3.9.post2', '0.3.11']) {
  for (const name of ['Lm', 'Redis']) {
    test(`LMCache ${release}'s client ${name} stores, looks up and loads`, {
      skip: lmcache03Missing(release),
    }, async (t) => {
      const server = await startCache(t, ['--memory', '256MiB']);
      const options = { only: name, min: 3, path: lmcache03(release), release };
      await runPythonTests('lmcache_0_3_client.py', server, options);
    });
  }
}

test('LMCache’s client keeps its connection while the store behind a front restarts', async (t) => {
  const disk = mkdtempSync(join(tmpdir(), 'cache-lane-'));
  t.after(() => rmSync(disk, { recursive: true, force: true }));
  const flags = ['--disk', disk, '--disk-size', '256MiB', '--memory', '64MiB'];
  const server = await startCache(t, ['--front', ...flags, '--read-timeout', '10s']);
  await runPythonTests('lmcache_client.py', server, { only: 'LmKept', min: 1 });
});

test('LMCache’s worker registers, reports and syncs its chunks, and takes orders', async (t) => {
  const [port] = await freePortRuns([3]);
  const flags = ['--controller-port', `${port}`, '--controller-http-port', '0'];
  const server = await startCache(t, [...flags, '--engine-hash-seed', '0', '--memory', '16MiB']);
  await runPythonTests('lmcache_worker.py', server, { min: 1 });
});

test('redis-py in RESP2 and RESP3, and Valkey GLIDE', async (t) => {
  await runPythonTests('redis_client.py', await startCache(t, ['--memory', '256MiB']), { min: 15 });
});

test('redis-cli', { skip: redisMissing }, async (t) => {
  const { resp } = await startCache(t);
  const cli = async (...args: readonly string[]) =>
    (await runRedisTool('redis-cli', ['-p', `${resp}`, ...args])).trimEnd();
  assert.equal(await cli('SET', 'k', 'a b'), 'OK');
  assert.equal(await cli('GET', 'k'), 'a b');
  assert.equal(await cli('-3', 'GET', 'nothing'), '');
  assert.equal(await cli('--scan', '--pattern', 'k*'), 'k');
  assert.match(await cli('-3', 'INFO', 'replication'), /^# Replication\s+role:master/);
  assert.match(await cli('LPUSH', 'k', 'v'), /^ERR unknown command 'LPUSH', with args beginning/);
});

test('redis-cli and redis-py over TLS, with a certificate of their own', {
  skip: redisMissing,
}, async (t) => {
  const file = (name: string) => join(import.meta.dirname, '../../support/tls', `${name}.pem`);
  const own = ['--tls-cert', file('server-cert'), '--tls-key', file('server-key')];
  const { resp } = await startCache(t, [...own, '--tls-client-ca', file('ca-cert')]);
  const trust = ['--cacert', file('ca-cert'), '--cert', file('client-cert')];
  const tls = ['--tls', ...trust, '--key', file('client-key'), '-h', 'localhost', '-p', `${resp}`];
  const cli = async (...args: readonly string[]) =>
    (await runRedisTool('redis-cli', [...tls, ...args])).trimEnd();
  assert.equal(await cli('SET', 'k', 'a b'), 'OK');
  assert.equal(await cli('GET', 'k'), 'a b');
  await runPython(
    `import redis
c = redis.Redis("localhost", ${resp}, ssl=True, ssl_ca_certs="${file('ca-cert')}",
    ssl_certfile="${file('client-cert')}", ssl_keyfile="${file('client-key')}")
big = b"x" * (4 << 20)
assert c.get("k") == b"a b" and c.set("big", big) and c.get("big") == big`,
  );
});

test('redis-cli, redis-py and GLIDE as users, each with keys of its own', {
  skip: redisMissing,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-users-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['alice', 'bob']) writeFileSync(join(folder, name), `${name}'s secret`);
  const users = ['alice', 'bob'].map((name) => ({ name, passwordFile: join(folder, name) }));
  writeFileSync(join(folder, 'users.yaml'), JSON.stringify({ users }));
  const { resp } = await startCache(t, ['--users', join(folder, 'users.yaml')]);
  const as = async (name: string, ...args: readonly string[]) => {
    const who = ['--user', name, '--pass', `${name}'s secret`, '--no-auth-warning'];
    return (await runRedisTool('redis-cli', ['-p', `${resp}`, ...who, ...args])).trimEnd();
  };
  assert.equal(await as('alice', 'SET', 'k', 'of alice'), 'OK');
  assert.equal(await as('bob', 'GET', 'k'), '');
  assert.equal(await as('bob', 'ACL', 'WHOAMI'), 'bob');
  await runPython(`import redis
from glide_sync import GlideClient, GlideClientConfiguration, NodeAddress, ServerCredentials
for protocol in (2, 3):
    alice = redis.Redis("127.0.0.1", ${resp}, username="alice", password="alice's secret", protocol=protocol)
    bob = redis.from_url("redis://bob:bob%27s%20secret@127.0.0.1:${resp}", protocol=protocol)
    assert alice.get("k") == b"of alice" and bob.get("k") is None
    assert alice.acl_whoami() in ("alice", b"alice")
    try:
        redis.Redis("127.0.0.1", ${resp}, username="alice", password="x", protocol=protocol).ping()
        raise SystemExit("a wrong password is let in")
    except redis.AuthenticationError:
        pass
glide = GlideClient.create(GlideClientConfiguration([NodeAddress("127.0.0.1", ${resp})],
    credentials=ServerCredentials("alice's secret", "alice"), request_timeout=10_000))
assert glide.get("k") == b"of alice"
glide.close()`);
});

test('redis-py’s, GLIDE’s and ioredis’ cluster clients find every key on three servers', async (t) => {
  const ports = await freePorts(3);
  const peers = ports.map((port) => `127.0.0.1:${port}`);
  const folder = mkdtempSync(join(tmpdir(), 'spillway-peers-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const keyFile = join(folder, 'key');
  writeFileSync(keyFile, 'of this lane\n'.replaceAll(' ', '-'), { mode: 0o600 });
  for (const [i, port] of ports.entries()) {
    const own = ['--peers', peers.join(), '--peer-address', peers[i] as string];
    await startCache(t, [
      ...['--resp-port', `${port}`, ...own, '--memory', '64MiB'],
      ...['--peers-key-file', keyFile],
    ]);
  }
  await runPython(`from redis.cluster import RedisCluster
from glide_sync import GlideClusterClient, GlideClusterClientConfiguration, NodeAddress
for protocol in (2, 3):
    cluster = RedisCluster("127.0.0.1", ${ports[0]}, protocol=protocol)
    assert len(cluster.get_nodes()) == 3, cluster.get_nodes()
    for i in range(60):
        assert cluster.set(f"k{i}", b"v" * (i * 3000)) and cluster.get(f"k{i}") == b"v" * (i * 3000)
    assert cluster.exists("k1") == 1 and cluster.delete("k1") == 1 and cluster.get("k1") is None
    cluster.close()
glide = GlideClusterClient.create(GlideClusterClientConfiguration([NodeAddress("127.0.0.1", ${ports[1]})], request_timeout=10_000))
for i in range(2, 60):
    assert glide.get(f"k{i}") == b"v" * (i * 3000), i
glide.close()`);
  await runIoredis(`const cluster = new Redis.Cluster([{ host: '127.0.0.1', port: ${ports[2]} }]);
for (let i = 2; i < 60; i++) {
  const value = await cluster.getBuffer('k' + i);
  if (value?.length !== i * 3000) throw new Error('k' + i + ': ' + value?.length);
  if ((await cluster.set('io' + i, 'w')) !== 'OK' || (await cluster.get('io' + i)) !== 'w') throw new Error('io' + i);
}
if (cluster.nodes('master').length !== 3) throw new Error('nodes');
cluster.disconnect();`);
});

test('values come back from a real S3 server after a restart', {
  skip: s3Missing || redisMissing,
}, async (t) => {
  const endpoint = await startS3(t);
  process.env['AWS_ACCESS_KEY_ID'] = 'lane';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'lane';
  const flags = ['--s3', 's3://lane-kv/team', '--s3-endpoint', endpoint, '--read-timeout', '60s'];
  const first = await startCache(t, [...flags, '--memory', '16MiB']);
  const keys = Array.from({ length: 24 }, (_, i) => `k${i}-${1 + i * 97_003}`);
  const ask = async (
    port: number,
    request: (key: string) => Buffer,
    check: (key: string) => Buffer,
  ) => {
    const socket = connect(port, '127.0.0.1');
    let received = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
    });
    for (const key of keys) {
      const expected = check(key);
      socket.write(request(key));
      await until(() => received.length >= expected.length);
      assert.ok(received.equals(expected), `${key}: ${received.subarray(0, 60)}`);
      received = Buffer.alloc(0);
    }
    socket.destroy();
  };
  const replyOf = (key: string) => {
    const bytes = bytesOfKey(key, sizeOfKey(key));
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
  };
  const set = (key: string) =>
    Buffer.concat([Buffer.from(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n`), replyOf(key)]);
  const ok = Buffer.from('+OK\r\n');
  await ask(first.resp, set, () => ok);
  await first.stop();
  const again = await startCache(t, [...flags, '--memory', '16MiB']);
  const cli = (...args: readonly string[]) =>
    runRedisTool('redis-cli', ['-p', `${again.resp}`, ...args]);
  await until(async () => Number(await cli('DBSIZE')) > 0);
  // What did not fit into the queue of uploads is missing; what is there is right.
  const present: string[] = [];
  for (const key of keys) if (Number(await cli('EXISTS', key)) === 1) present.push(key);
  assert.ok(present.length > 3, `${present.length} of ${keys.length}`);
  keys.splice(0, keys.length, ...present);
  await ask(again.resp, (key) => Buffer.from(`GET ${key}\r\n`), replyOf);
});

test('redis-benchmark', { skip: redisMissing }, async (t) => {
  const { resp } = await startCache(t);
  const args = ['-p', `${resp}`, '-t', 'ping,set,get,mset', '-n', '2000', '-c', '20', '-P', '8'];
  const output = await runRedisTool('redis-benchmark', [...args, '-d', '1000', '--csv']);
  assert.deepEqual(
    output.split('\n').flatMap((line) => /^"([^"]+)","[\d.]+"/.exec(line)?.[1] ?? []),
    ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'MSET (10 keys)'],
  );
});

test('Redis still replies as recorded', { skip: redisMissing }, async (t) => {
  const port = await startRedis(t);
  let socket = connect(port, '127.0.0.1');
  let [received, isClosed] = ['', false];
  const listen = () => {
    isClosed = false;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
    });
    socket.once('close', () => {
      isClosed = true;
    });
  };
  listen();
  t.after(() => socket.destroy());
  for (const { send, reply, closes } of redisDialogue) {
    received = '';
    socket.write(Buffer.from(`${send}\r\n`, 'latin1'));
    await until(() => isClosed || (received.length >= reply.length && !closes));
    assert.equal(withoutAverage(received), withoutAverage(reply), send);
    if (!isClosed) continue;
    socket = connect(port, '127.0.0.1');
    listen();
  }
});

/** A reply without the mean lifetime of keys, which Redis estimates as it samples expired ones, and without its length. */
function withoutAverage(reply: string): string {
  return reply.replace(/^\$\d+(\r\n# Keyspace\r\n.*avg_ttl=)\d+/, '$$…$10');
}
