// Behaviour particular to DNS: times to live, truncated responses, timeouts, and invalid names.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ManualWait } from '../../../test/support/manual-wait.ts';
import { type DnsRecord, startScriptedDns } from '../../../test/support/scripted-dns.ts';
import { type DnsRecordsOptions, dnsRecords } from './dns-records.ts';
import type { EndpointChange } from './endpoint-source.ts';

const a = (address: string, ttl: number): DnsRecord => ({ type: 'A', ttl, address });

test('looks up a name again when its first record expires, within the bounds', async (t) => {
  const { dns, wait, next } = await begin(t, { intervalMinMs: 2_000, intervalMaxMs: 20_000 });
  dns.zone = new Map([['engines.test', [a('10.0.0.1', 12), a('10.0.0.2', 7)]]]);
  await next();
  void next();
  for (const ttl of [0, 600]) {
    await wait.asked();
    dns.zone = new Map([['engines.test', [a('10.0.0.1', ttl), a('10.0.0.2', 300 + ttl)]]]);
    await wait.pass();
  }
  await wait.asked();
  assert.deepEqual(wait.pausesMs, [7_000, 2_000, 20_000]);
});

test('looks up services again when an address of their targets expires', async (t) => {
  const { dns, wait, next } = await begin(t, { name: 'srv://engines.test' });
  dns.zone = new Map<string, DnsRecord[]>([
    ['engines.test', [{ type: 'SRV', ttl: 60, target: 'one.test', port: 8001 }]],
    ['one.test', [a('10.0.0.1', 11)]],
  ]);
  assert.deepEqual(await next(), [
    { kind: 'added', endpoint: { url: 'http://one.test:8001', models: [] } },
  ]);
  void next();
  await wait.asked();
  assert.deepEqual(wait.pausesMs, [11_000]);
});

test('requests a response over TCP if it does not fit into a datagram', async (t) => {
  const { dns, next } = await begin(t, {});
  const addresses = Array.from({ length: 200 }, (_, i) => `10.0.1.${i}`);
  dns.zone = new Map([['engines.test', addresses.map((address) => a(address, 30))]]);
  dns.truncates = true;
  const added = (await next()) as readonly EndpointChange[];
  assert.equal(added.length, 200);
});

test('a router starts before its name exists, and one empty response removes nothing', async (t) => {
  const { dns, wait, next, log } = await begin(t, {});
  assert.deepEqual(await next(), []);
  const found = next();
  await wait.asked();
  const zone = new Map([['engines.test', [a('10.0.0.1', 30)]]]);
  dns.zone = zone;
  await wait.pass();
  assert.equal((await found)?.length, 1);
  const pending = next();
  for (const later of [new Map(), zone, new Map(), new Map()]) {
    await wait.asked();
    dns.zone = later;
    await wait.pass();
  }
  assert.deepEqual(await pending, [{ kind: 'removed', url: 'http://10.0.0.1:8000' }]);
  assert.deepEqual(log, []);
});

test('a name server that does not respond is a failure, and the log names the DNS name', async (t) => {
  const { dns, next, log } = await begin(t, { timeoutMs: 50 });
  dns.zone = 'silent';
  assert.deepEqual(await next(), []);
  void next();
  assert.deepEqual(log, [
    'DNS a://engines.test:8000: the name engines.test cannot be looked up (ETIMEOUT); it has listed no engines yet',
  ]);
});

test('refuses invalid names, and says what is allowed', () => {
  for (const name of [
    'engines.test:8000',
    'a://engines.test',
    'srv://engines.test:80',
    'a://x:0',
  ]) {
    assert.throws(() => dnsRecords({ name, log: { info() {}, warning() {} } }), {
      code: 'ERR_INPUT',
      message: /^"\S+" is not a DNS name of engines: it must look like srv:/,
    });
  }
});

async function begin(t: TestContext, options: Partial<DnsRecordsOptions>) {
  const dns = await startScriptedDns();
  const wait = new ManualWait();
  const log: string[] = [];
  const keep = (line: string) => {
    log.push(line);
  };
  const source = dnsRecords({
    ...{ name: 'a://engines.test:8000', servers: [dns.server], wait: wait.wait },
    log: { info: keep, warning: keep },
    ...options,
  });
  const stop = new AbortController();
  t.after(async () => {
    stop.abort();
    await dns.close();
  });
  const iterator = source.changes(stop.signal)[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await iterator.next();
    return done ? undefined : value;
  };
  return { dns, wait, next, log };
}
