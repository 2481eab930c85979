import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { type S3Server, s3Server } from '../../../test/support/s3-server.ts';
import { until } from '../../../test/support/until.ts';
import { ManualClock, seededRandom } from '../../core/base/index.ts';
import { objectName, readObjectName } from './object-name.ts';
import { ObjectTier, type ObjectTierOptions } from './object-tier.ts';
import { RetryBudget } from './retry-budget.ts';
import { s3Objects } from './s3-objects.ts';

process.env['AWS_ACCESS_KEY_ID'] = 'access';
process.env['AWS_SECRET_ACCESS_KEY'] = 'secret';

const label = Uint8Array.of(7, 0, 255);
const bodyOf = (key: string, size: number) => Buffer.alloc(size, `${key}.`);

async function opened(t: TestContext, server: S3Server, options: Partial<ObjectTierOptions> = {}) {
  const tier = new ObjectTier({
    objects: await s3Objects({ bucket: 'kv', endpoint: server.endpoint }),
    ...{ prefix: 'team/', waitingBytesMax: 1 << 20, wallClock: new ManualClock(1000) },
    ...{ random: seededRandom(1), ...options },
  });
  t.after(() => tier.close());
  await tier.start();
  return tier;
}

function keep(
  tier: ObjectTier,
  key: string,
  size = 10_000,
  expiresUnixSeconds = Number.POSITIVE_INFINITY,
) {
  const body = bodyOf(key, size);
  let releases = 0;
  tier.keep({
    ...{ key, size, label, checksum: crc32(body), expiresUnixSeconds },
    spans: [body.subarray(0, 1), body.subarray(1)],
    release: () => releases++,
  });
  return () => releases;
}

async function read(tier: ObjectTier, key: string): Promise<Buffer | undefined> {
  const value = tier.find(key);
  const body = Buffer.alloc(value?.size ?? 0);
  const isWhole = value && (await tier.read(value, () => [body]));
  return isWhole ? body : undefined;
}

test('a name says all about a value, and other objects are left alone', () => {
  const value = { key: 'm/a@1\u00ff\0 ', label, checksum: 0xdeadbeef, expiresUnixSeconds: 12.5 };
  const name = objectName('a/', value) ?? assert.fail();
  assert.match(name, /^a\/v2\/[\da-f]{2}\/[\w-]+\.[\w-]+$/);
  assert.deepEqual(readObjectName('a/', name), value);
  const plain = { ...value, label: undefined, expiresUnixSeconds: Number.POSITIVE_INFINITY };
  assert.deepEqual(readObjectName('', objectName('', plain) ?? ''), plain);
  assert.equal(objectName('', { ...value, key: 'k'.repeat(800) }), undefined);
  for (const other of [
    'a/notes.txt',
    'a/v2/00/x',
    'b/v2/00/aa.bb',
    'a/v2/00/aa.bb',
    'a/v2/zz/aa.bb',
  ]) {
    assert.equal(readObjectName('a/', other), undefined, other);
  }
});

test('values are there after a restart and for other servers, with labels and times', async (t) => {
  const server = await s3Server(t);
  const tier = await opened(t, server);
  const sizes = [1, 4096, (1 << 18) + 1];
  const releases = sizes.map((size) => keep(tier, `k${size}`, size));
  keep(tier, 'short', 10, 1005);
  server.objects.set('team/notes.txt', Buffer.from('mine'));
  await tier.flushed();
  assert.deepEqual(
    releases.map((count) => count()),
    [1, 1, 1],
  );
  const wallClock = new ManualClock(1004);
  const again = await opened(t, server, { wallClock });
  for (const size of sizes) {
    assert.deepEqual(again.find(`k${size}`)?.label, label);
    assert.deepEqual(await read(again, `k${size}`), bodyOf(`k${size}`, size));
  }
  assert.equal(again.scan(0, 99).keys.length, 4);
  wallClock.advance(1);
  assert.equal(again.find('short'), undefined);
  await again.flushed();
  assert.equal(server.objects.size, 4);
  keep(again, 'k1', 2);
  await again.flushed();
  assert.equal(server.objects.size, 4, 'the older value is removed');
  again.clear();
  await again.flushed();
  assert.deepEqual([...server.objects.keys()], ['team/notes.txt']);
});

test('an object that is gone, cut off or changed is never a value', async (t) => {
  const server = await s3Server(t);
  const tier = await opened(t, server);
  keep(tier, 'gone');
  keep(tier, 'cut');
  keep(tier, 'changed');
  await tier.flushed();
  server.fault = (method) => (method === 'GET' ? 'cut' : undefined);
  assert.equal(await read(tier, 'cut'), undefined);
  server.fault = (method) => (method === 'GET' ? 'changed' : undefined);
  const value = tier.find('changed') ?? assert.fail();
  assert.notEqual(crc32((await read(tier, 'changed')) ?? Buffer.alloc(0)), value.checksum);
  tier.corrupt(value);
  server.objects.clear();
  server.fault = () => undefined;
  assert.equal(await read(tier, 'gone'), undefined);
  assert.deepEqual(
    [tier.find('gone'), tier.find('changed'), tier.stats.corrupt],
    [undefined, undefined, 1],
  );
});

test('a failed call is repeated while there is a budget, and then left', async (t) => {
  const server = await s3Server(t);
  const tier = await opened(t, server);
  let failures = 2;
  server.fault = (method) => (method === 'PUT' && failures-- > 0 ? 'unavailable' : undefined);
  keep(tier, 'k');
  await tier.flushed();
  const { written, retries, errors, dropped } = tier.stats;
  assert.deepEqual(
    { written, retries, errors, dropped },
    { written: 1, retries: 2, errors: 2, dropped: 0 },
  );
  const budget = new RetryBudget();
  const taken = (calls: number) => {
    for (let i = 0; i < calls; i++) budget.called();
    let count = 0;
    while (budget.take()) count++;
    return count;
  };
  assert.deepEqual([taken(1), taken(35), taken(10_000)], [10, 3, 10]);
});

test('a store that is down is left alone for 10 s; nothing waits for it', async (t) => {
  const server = await s3Server(t);
  const wallClock = new ManualClock(1000);
  const tier = await opened(t, server, { wallClock });
  keep(tier, 'before');
  await tier.flushed();
  server.fault = () => 'unavailable';
  for (let i = 0; i < 6; i++) keep(tier, `k${i}`);
  await tier.flushed();
  const asked = server.requests.length;
  const released = keep(tier, 'later');
  assert.deepEqual([released(), await read(tier, 'before')], [1, undefined]);
  assert.equal(server.requests.length, asked);
  server.fault = () => undefined;
  wallClock.advance(10);
  keep(tier, 'after');
  await tier.flushed();
  assert.deepEqual(await read(tier, 'after'), bodyOf('after', 10_000));
  assert.deepEqual(await read(tier, 'before'), bodyOf('before', 10_000));
});

test('a store that hangs costs its time for each call, and no memory beyond the bound', async (t) => {
  const server = await s3Server(t);
  server.fault = (method) => (method === 'LIST' ? undefined : 'hang');
  const tier = await opened(t, server, { timeoutMs: 50, waitingBytesMax: 25_000 });
  const releases = ['a', 'b', 'c'].map((key) => keep(tier, key));
  assert.deepEqual(
    releases.map((count) => count()),
    [0, 0, 1],
  );
  await tier.flushed();
  assert.deepEqual(
    releases.map((count) => count()),
    [1, 1, 1],
  );
  assert.deepEqual([tier.stats.written, tier.stats.dropped, tier.stats.waitingBytes], [0, 3, 0]);
});

test('a value that is deleted while it is uploaded leaves no object', async (t) => {
  const server = await s3Server(t);
  const tier = await opened(t, server);
  keep(tier, 'k');
  await until(() => server.requests.includes('PUT'));
  assert.equal(tier.delete('k'), true);
  await tier.flushed();
  assert.equal(server.objects.size, 0);
  assert.equal(tier.find('k'), undefined);
});

test('a value above the part size is stored and loaded in parts, a bounded number at once', async (t) => {
  const server = await s3Server(t);
  const partBytes = 5 << 20;
  const tier = await opened(t, server, { partBytes, waitingBytesMax: 1 << 30 });
  const sizes = [partBytes, partBytes + 1, 5 * partBytes + 77];
  for (const size of sizes) keep(tier, `k${size}`, size);
  await tier.flushed();
  const count = (method: string) => server.requests.filter((one) => one === method).length;
  assert.deepEqual(['PUT', 'BEGIN', 'PART', 'COMPLETE', 'ABORT'].map(count), [1, 2, 2 + 6, 2, 0]);
  assert.deepEqual([server.uploads.size, tier.stats.written], [0, 3]);
  assert.ok(server.atOnce.max > 1 && server.atOnce.max <= 4 + 1, `${server.atOnce.max} at once`);
  for (const size of sizes) {
    assert.ok(bodyOf(`k${size}`, size).equals((await read(tier, `k${size}`)) ?? assert.fail()));
  }
  assert.equal(count('GET'), 1 + 2 + 6);
  const again = await opened(t, server, { partBytes: 2 * partBytes });
  const [, , large = 0] = sizes;
  assert.ok(bodyOf(`k${large}`, large).equals((await read(again, `k${large}`)) ?? assert.fail()));
});

test('a part that fails is repeated; an upload that fails leaves no part and no object', async (t) => {
  const server = await s3Server(t);
  const partBytes = 64 << 10;
  const clock = new ManualClock(1000);
  const options = { partBytes, waitingBytesMax: 1 << 30, wallClock: clock, timeoutMs: 300 };
  const tier = await opened(t, server, options);
  let failures = 2;
  server.fault = (method, at) =>
    method === 'PART' && at === 2 && failures-- > 0 ? 'unavailable' : undefined;
  keep(tier, 'repeated', 3 * partBytes);
  await tier.flushed();
  assert.deepEqual([tier.stats.written, tier.stats.retries, tier.stats.dropped], [1, 2, 0]);
  const faults = [
    ['PART', 'unavailable'],
    ['PART', 'hang'],
    ['PART', 'wrong tag'],
    ['COMPLETE', 'unavailable'],
    ['BEGIN', 'unavailable'],
  ] as const;
  for (const [faulty, fault] of faults) {
    server.fault = (method, at) => (method === faulty && at !== 1 ? fault : undefined);
    const released = keep(tier, `${faulty} ${fault}`, 3 * partBytes);
    await tier.flushed();
    assert.deepEqual(
      [released(), tier.find(`${faulty} ${fault}`), server.uploads.size, server.objects.size],
      [1, undefined, 0, 1],
      `${faulty} ${fault}`,
    );
    clock.advance(10);
  }
  assert.equal(tier.stats.dropped, faults.length);
});

test('parts that could not be removed are removed with the next value', async (t) => {
  const server = await s3Server(t);
  const partBytes = 64 << 10;
  const clock = new ManualClock(1000);
  const tier = await opened(t, server, { partBytes, wallClock: clock });
  server.fault = (method) => (['PART', 'ABORT'].includes(method) ? 'unavailable' : undefined);
  keep(tier, 'failed', 2 * partBytes);
  await tier.flushed();
  assert.equal(server.uploads.size, 1);
  server.fault = () => undefined;
  clock.advance(10);
  keep(tier, 'next');
  await until(() => tier.stats.written === 1 && server.uploads.size === 0);
});

test('parts of uploads that a killed server left are removed after a day', async (t) => {
  const server = await s3Server(t);
  server.uploads.set('left', new Map([[1, Buffer.from('part')]]));
  await opened(t, server, { wallClock: new ManualClock(1000 + 86_400) });
  assert.equal(server.uploads.size, 1, 'another server may be at it');
  await opened(t, server, { wallClock: new ManualClock(1001 + 86_400) });
  assert.equal(server.uploads.size, 0);
});

test('a value that is deleted while its parts are uploaded leaves none', async (t) => {
  const server = await s3Server(t);
  const partBytes = 64 << 10;
  for (const during of ['BEGIN', 'PART', 'COMPLETE']) {
    const tier = await opened(t, server, { partBytes, waitingBytesMax: 1 << 30 });
    server.fault = (method) => {
      if (method === during) tier.delete('k');
      return undefined;
    };
    const released = keep(tier, 'k', 4 * partBytes);
    await tier.flushed();
    assert.deepEqual(
      [released(), tier.find('k'), server.uploads.size, server.objects.size, tier.stats.dropped],
      [1, undefined, 0, 0, 0],
      during,
    );
  }
});

test('a range that is cut off is repeated; one that lies about its length or its place is a miss', async (t) => {
  const server = await s3Server(t);
  const partBytes = 64 << 10;
  const clock = new ManualClock(1000);
  const options = { partBytes, waitingBytesMax: 1 << 30, wallClock: clock, timeoutMs: 300 };
  const tier = await opened(t, server, options);
  const size = 3 * partBytes + 1;
  keep(tier, 'k', size);
  await tier.flushed();
  const body = bodyOf('k', size);
  for (const fault of ['cut', 'unavailable', 'longer', 'whole', 'short length'] as const) {
    let failures = 1;
    server.fault = (_method, at) => (at === partBytes && failures-- > 0 ? fault : undefined);
    assert.ok(body.equals((await read(tier, 'k')) ?? assert.fail()), `${fault} once`);
    // The budget of retries grows with the calls.
    server.fault = () => undefined;
    for (let i = 0; i < 10; i++) await read(tier, 'k');
    server.fault = (_method, at) => (at === partBytes ? fault : undefined);
    assert.equal(await read(tier, 'k'), undefined, `${fault} always`);
    server.fault = () => undefined;
    clock.advance(10);
    assert.ok(body.equals((await read(tier, 'k')) ?? assert.fail()), `after ${fault}`);
    for (let i = 0; i < 30; i++) await read(tier, 'k');
  }
});

test('memory of a value is not written to after its load has ended', async (t) => {
  const server = await s3Server(t);
  const partBytes = 64 << 10;
  const options = { partBytes, waitingBytesMax: 1 << 30, timeoutMs: 300 };
  const tier = await opened(t, server, options);
  keep(tier, 'k', 4 * partBytes);
  await tier.flushed();
  server.fault = (_method, at) => (at === 0 ? 'hang' : at === partBytes ? 'cut' : undefined);
  const body = Buffer.alloc(4 * partBytes);
  assert.equal(await tier.read(tier.find('k') ?? assert.fail(), () => [body]), false);
  body.fill(0);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(body.equals(Buffer.alloc(4 * partBytes)));
});
