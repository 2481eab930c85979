// One suite that every source of endpoints passes. A source that cannot run a case says why.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ManualWait } from '../../../test/support/manual-wait.ts';
import {
  type ScriptedApiServer,
  scriptedApiServer,
} from '../../../test/support/scripted-api-server.ts';
import { type DnsRecord, startScriptedDns } from '../../../test/support/scripted-dns.ts';
import { until } from '../../../test/support/until.ts';
import type { ClusterKind } from './cluster-settings.ts';
import { clusterSource } from './cluster-source.ts';
import { dnsRecords } from './dns-records.ts';
import type {
  DiscoveredEndpoint,
  EndpointChange,
  EndpointSource,
  Wait,
} from './endpoint-source.ts';
import { enginesFile } from './engines-file.ts';
import { staticList } from './static-list.ts';

interface Running {
  readonly source: EndpointSource;
  /** Makes the outside list these URLs. */
  set(urls: readonly string[]): Promise<void>;
  /** Changes the models that the outside lists for its endpoints. */
  setModels(models: readonly string[]): Promise<void>;
  /** Makes the outside unreadable. */
  fail(): Promise<void>;
}

interface SourceCase {
  readonly name: string;
  /** URLs that the source can list. */
  readonly urls: readonly [string, string, string];
  /**
   * Number of readings until a change is reported; the second number is for a set that becomes
   * empty.
   */
  readonly looks: readonly [number, number];
  /** Maps a case to the reason why the source cannot run it. */
  readonly skips: Readonly<Partial<Record<'changes' | 'models' | 'failure', string>>>;
  start(t: TestContext, tools: { wait: ManualWait; log: string[] }): Promise<Running>;
}

const servicesPath = '/api/v1/namespaces/default/services';
const slicesPath = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
const hostUrls = ['http://10.0.0.1:8000', 'http://10.0.0.2:8000', 'http://10.0.0.3:8000'] as const;
const never = () => Promise.reject(new Error('not used: the case is skipped'));

const sources: readonly SourceCase[] = [
  {
    name: 'static list',
    urls: hostUrls,
    looks: [0, 0],
    skips: {
      changes: 'a list never changes',
      models: 'a list never changes',
      failure: 'a list is not read from anywhere',
    },
    start: async () => ({
      source: staticList([
        { url: `${hostUrls[0]}/`, models: [] },
        { url: hostUrls[1], models: [] },
      ]),
      set: async () => {},
      setModels: never,
      fail: never,
    }),
  },
  {
    name: 'engines file',
    urls: hostUrls,
    // A text counts once it has been read twice.
    looks: [2, 2],
    skips: {},
    start: async (t, { wait, log }) => {
      const folder = await mkdtemp(join(tmpdir(), 'spillway-engines-'));
      t.after(() => rm(folder, { recursive: true }));
      const path = join(folder, 'engines.yaml');
      let urls: readonly string[] = [];
      const write = (models: readonly string[]) =>
        writeFile(path, JSON.stringify({ engines: urls.map((url) => ({ url, models })) }));
      return {
        source: enginesFile({ path, log: logInto(log), wait: wait.wait }),
        set: (wanted) => {
          urls = wanted;
          return write([]);
        },
        setModels: write,
        fail: () => writeFile(path, 'engines:\n  - url: not-a-url\n'),
      };
    },
  },
  dnsCase('DNS addresses', 'a://engines.test:8000', hostUrls, (urls) => [
    ['engines.test', urls.map((url): DnsRecord => ({ type: 'A', ttl: 9, address: hostOf(url) }))],
  ]),
  dnsCase(
    'DNS services',
    'srv://_http._tcp.engines.test',
    ['http://one.test:8000', 'http://two.test:8001', 'http://three.test:8002'],
    (urls) => [
      [
        '_http._tcp.engines.test',
        urls.map((url): DnsRecord => {
          return { type: 'SRV', ttl: 9, target: hostOf(url), port: Number(new URL(url).port) };
        }),
      ],
    ],
  ),
  clusterCase('Kubernetes pods', 'pod-ip', hostUrls, (api, url, i) => {
    api.putPod(`engine-${i}`, { ip: hostOf(url) });
    return () => api.removePod(`engine-${i}`);
  }),
  clusterCase(
    'Kubernetes Services',
    'service-name',
    ['http://one.default:8000', 'http://two.default:8000', 'http://three.default:8000'],
    (api, url) => {
      const [name = ''] = hostOf(url).split('.');
      const metadata = { name, namespace: 'default' };
      api.put(servicesPath, { metadata, spec: { ports: [{ port: 8000 }] } });
      return () => api.remove(servicesPath, name);
    },
  ),
];

for (const one of sources) {
  test(`${one.name}: the first batch is the whole set`, async (t) => {
    const { next, source } = await begin(t, one, one.urls.slice(0, 2));
    assert.ok(source.name.length > 0);
    assert.deepEqual(kinds(await next()), [`added ${one.urls[0]}`, `added ${one.urls[1]}`]);
  });

  test(`${one.name}: an aborted signal ends the iteration`, async (t) => {
    const { next, stop } = await begin(t, one, one.urls.slice(0, 2));
    await next();
    const pending = next();
    stop();
    assert.equal(await pending, undefined);
    assert.equal(await next(), undefined);
  });

  test(
    `${one.name}: endpoints that come and go are reported once, in one batch`,
    skip(one, 'changes'),
    async (t) => {
      const { next, set, wait } = await begin(t, one, one.urls.slice(0, 2));
      await next();
      const pending = next();
      await wait.pass();
      await wait.asked();
      await set(one.urls.slice(1));
      await pass(wait, one.looks[0]);
      assert.deepEqual(kinds(await pending), [`removed ${one.urls[0]}`, `added ${one.urls[2]}`]);
      const again = next();
      await wait.asked();
      await set(one.urls);
      await pass(wait, one.looks[0]);
      assert.deepEqual(kinds(await again), [`added ${one.urls[0]}`]);
    },
  );

  test(`${one.name}: the set may become empty and fill again`, skip(one, 'changes'), async (t) => {
    const { next, set, wait } = await begin(t, one, one.urls.slice(0, 1));
    await next();
    const emptied = next();
    await wait.asked();
    await set([]);
    await pass(wait, one.looks[1]);
    assert.deepEqual(kinds(await emptied), [`removed ${one.urls[0]}`]);
    const filled = next();
    await wait.asked();
    await set(one.urls.slice(0, 1));
    await pass(wait, one.looks[0]);
    assert.deepEqual(kinds(await filled), [`added ${one.urls[0]}`]);
  });

  test(`${one.name}: changed models are reported`, skip(one, 'models'), async (t) => {
    const { next, setModels, wait } = await begin(t, one, one.urls.slice(0, 1));
    await next();
    const pending = next();
    await wait.asked();
    await setModels(['m']);
    await pass(wait, one.looks[0]);
    const changed: EndpointChange = {
      kind: 'changed',
      endpoint: { url: one.urls[0], models: ['m'] } satisfies DiscoveredEndpoint,
    };
    assert.deepEqual(await pending, [changed]);
  });

  test(
    `${one.name}: a failure keeps the last set and is logged once`,
    skip(one, 'failure'),
    async (t) => {
      const { next, set, fail, wait, log } = await begin(t, one, one.urls.slice(0, 2));
      await next();
      const pending = next();
      await wait.asked();
      await fail();
      await pass(wait, 4);
      await wait.asked();
      assert.equal(log.length, 1, log.join('\n'));
      assert.match(log[0] as string, /; the 2 engines that it listed stay in use$/);
      await set(one.urls);
      await pass(wait, one.looks[0]);
      assert.deepEqual(kinds(await pending), [`added ${one.urls[2]}`]);
      // A source of several lists may still be reading another one.
      await until(() => log.length > 1);
      assert.match(log[1] as string, /can be read again$/);
    },
  );
}

async function begin(t: TestContext, one: SourceCase, urls: readonly string[]) {
  const wait = new ManualWait();
  const log: string[] = [];
  const running = await one.start(t, { wait, log });
  await running.set(urls);
  const stopping = new AbortController();
  t.after(() => stopping.abort());
  const iterator = running.source.changes(stopping.signal)[Symbol.asyncIterator]();
  /** The next batch; undefined at the end. */
  const next = async () => {
    const { value, done } = await iterator.next();
    return done ? undefined : value;
  };
  return { ...running, next, wait, log, stop: () => stopping.abort() };
}

function dnsCase(
  name: string,
  dnsName: string,
  urls: SourceCase['urls'],
  recordsOf: (urls: readonly string[]) => readonly (readonly [string, readonly DnsRecord[]])[],
): SourceCase {
  return {
    name,
    urls,
    // A response without records counts once a second look-up confirms it.
    looks: [1, 2],
    skips: { models: 'DNS says nothing about models' },
    start: async (t, { wait, log }) => {
      const dns = await startScriptedDns();
      t.after(() => dns.close());
      return {
        source: dnsRecords({
          ...{ name: dnsName, servers: [dns.server], log: logInto(log), wait: wait.wait },
          timeoutMs: 1_000,
        }),
        set: async (wanted) => {
          dns.zone = new Map(wanted.length === 0 ? [] : recordsOf(wanted));
        },
        setModels: never,
        fail: async () => {
          dns.zone = 'servfail';
        },
      };
    },
  };
}

/** Changes are seen by a new list, which follows a watch that is overdue: nothing is told by the watch. */
function clusterCase(
  name: string,
  kind: ClusterKind,
  urls: SourceCase['urls'],
  put: (api: ScriptedApiServer, url: string, i: number) => () => void,
): SourceCase {
  return {
    name,
    urls,
    looks: [1, 1],
    skips: { models: 'Kubernetes says nothing about models' },
    start: async (t, { wait, log }) => {
      const api = await scriptedApiServer(t);
      api.isTelling = false;
      // Slices outlast their Services here, so that each change is one of Services alone.
      for (const name of ['one', 'two', 'three']) {
        const labels = { 'kubernetes.io/service-name': name };
        const metadata = { name, namespace: 'default', labels };
        api.put(slicesPath, { metadata, endpoints: [{ conditions: { ready: true } }] });
      }
      const removals = new Map<string, () => void>();
      return {
        source: clusterSource({
          ...{ kind, namespaces: ['default'], port: 8000, labelSelector: '', watchSeconds: 0 },
          ...{ access: api.access, log: logInto(log) },
          wait: joined(wait, kind === 'pod-ip' ? 1 : 2),
          nowSeconds: () => wait.passedMs / 1000,
        }),
        set: async (wanted) => {
          api.mode = 'serve';
          for (const [url, remove] of removals) if (!wanted.includes(url)) remove();
          for (const url of wanted) removals.set(url, put(api, url, urls.indexOf(url)));
        },
        setModels: never,
        fail: async () => {
          api.mode = { status: 503 };
          api.cut();
        },
      };
    },
  };
}

/** Joins the waits of so many lists into one, which begins when all of them wait. The wait for the first lists never ends. */
function joined(wait: ManualWait, lists: number): Wait {
  const firstListsMs = 10_000;
  const waiting = new Set<() => void>();
  return async (milliseconds, signal) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve());
    if (milliseconds !== firstListsMs) waiting.add(resolve);
    if (waiting.size === lists) {
      void wait.wait(milliseconds, signal).then(() => {
        for (const release of waiting) release();
        waiting.clear();
      });
    }
    await promise;
    waiting.delete(resolve);
  };
}

async function pass(wait: ManualWait, looks: number): Promise<void> {
  for (let i = 0; i < looks; i++) await wait.pass();
}

function skip(one: SourceCase, what: keyof SourceCase['skips']): { skip?: string } {
  const reason = one.skips[what];
  return reason === undefined ? {} : { skip: reason };
}

function kinds(changes: readonly EndpointChange[] | undefined): string[] {
  return (changes ?? ['no batch' as never])
    .map((change) =>
      change.kind === 'removed' ? `removed ${change.url}` : `${change.kind} ${change.endpoint.url}`,
    )
    .sort((a, b) => Number(b.startsWith('removed')) - Number(a.startsWith('removed')));
}

function logInto(lines: string[]) {
  const keep = (line: string) => {
    lines.push(line);
  };
  return { info: keep, warning: keep };
}

function hostOf(url: string): string {
  return new URL(url).hostname;
}
