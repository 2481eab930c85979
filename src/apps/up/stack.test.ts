// The processes of a stack, with scripted programs in place of engines and routers.
import assert from 'node:assert/strict';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { listening } from '../../../test/support/listening.ts';
import type { ScriptedStart } from '../../../test/support/scripted-spillway.ts';
import { until } from '../../../test/support/until.ts';
import { resolveValues, type Values } from '../../core/values/index.ts';
import { freePorts } from '../../io/processes/index.ts';
import type { ProcessSnapshot } from './snapshot.ts';
import { RunningStack } from './stack.ts';

const script = join(import.meta.dirname, '..', '..', '..', 'test/support/scripted-spillway.ts');

/** The values with a router on a free port, unless it has one. */
async function valuesOf(entries: string, rest = '', router = ''): Promise<Values> {
  const [port = 0] = await freePorts(1);
  const text = `servingEngineSpec: {${entries}}
routerSpec: {containerPort: ${port}, host: 127.0.0.1, ${router}}
${rest}`;
  return resolveValues({ files: [{ name: 'f', text }] }).values;
}

async function stackOf(
  context: TestContext,
  values: Values,
  environment: Readonly<Record<string, string>> = {},
) {
  const started: ScriptedStart[] = [];
  const states: ProcessSnapshot[] = [];
  const stack = await RunningStack.create({
    ...{ values, environment, self: [process.execPath, script] },
    hooks: {
      onLine: (_, line) => started.push(JSON.parse(line) as ScriptedStart),
      onState: (state) => states.push(state),
    },
  });
  context.after(() => stack.stop(AbortSignal.abort()));
  return { stack, started, states };
}

const embedded = (name: string, more = '') => `{name: ${name}, modelURL: org/m, ${more}}`;
const entriesOf = (...entries: readonly string[]) => `modelSpec: [${entries.join(', ')}]`;

test('a stack starts its engines, then the router, and stops them in the opposite order', async (context) => {
  const values = await valuesOf(
    `vllmApiKey: engines, ${entriesOf(embedded('a', 'replicaCount: 2'))}`,
  );
  const { stack, started, states } = await stackOf(context, values, {
    SPILLWAY_ROUTER_API_KEY: ' clients\n',
  });
  assert.deepEqual(stack.childNames, ['a-1', 'a-2', 'router']);
  assert.equal((await stack.snapshot()).router, undefined);
  await stack.start();
  assert.deepEqual(
    started.map(({ program, key }) => [program, key]),
    [
      ['engine', 'engines'],
      ['engine', 'engines'],
      ['router', 'engines'],
    ],
  );
  assert.deepEqual(started[0]?.args.slice(0, 4), ['--model', 'org/m', '--host', '127.0.0.1']);
  const urls = stack.members.map(({ backend }) => backend.url);
  const { args = [] } = started[2] ?? {};
  assert.equal(args[args.indexOf('--static-backends') + 1], urls.join(','));

  const { processes, router } = await stack.snapshot();
  assert.equal(router?.policy, 'Bearer clients', 'the key is sent without blanks');
  assert.deepEqual(
    processes.map(({ name, kind, url, model, state }) => [name, kind, url, model, state]),
    [
      ['a-1', 'embedded', urls[0], 'org/m', 'ready'],
      ['a-2', 'embedded', urls[1], 'org/m', 'ready'],
      ['router', 'router', stack.url, undefined, 'ready'],
    ],
  );
  assert.ok(processes.every(({ pid, restarts }) => pid !== undefined && restarts === 0));
  assert.equal(new Set(processes.map(({ pid }) => pid)).size, 3);

  const details = await stack.engineDetails('a-2');
  assert.deepEqual([details?.name, details?.child, details?.history?.url], ['a-2', 'a-2', urls[1]]);
  assert.deepEqual(
    [...(details?.requests ?? []), ...(details?.picks ?? [])].map(({ requestId }) => requestId),
    [`to ${urls[1]}`, `to ${urls[1]}`],
  );
  assert.equal(await stack.engineDetails('router'), undefined);

  await stack.stop();
  assert.deepEqual(await stack.engineDetails('a-1'), {
    ...{ name: 'a-1', child: 'a-1', requests: [], picks: [], history: undefined },
  });
  const ended = states.filter(({ state }) => state === 'stopped').map(({ name }) => name);
  assert.equal(ended[0], 'router');
  assert.deepEqual(ended.toSorted(), ['a-1', 'a-2', 'router']);
});

test('engines of one process have separate entries, and are healthy when the last one listens', async (context) => {
  const values = await valuesOf(
    entriesOf(embedded('a', 'replicaCount: 3')),
    'spillway: {engineProcesses: shared}',
  );
  const { stack, started, states } = await stackOf(context, values);
  assert.deepEqual(stack.childNames, ['a', 'router']);
  await stack.start();
  const { args = [] } = started[0] ?? {};
  assert.equal(args[args.indexOf('--count') + 1], '3');
  const ports = stack.members.map(({ backend }) => Number(new URL(backend.url).port));
  const [first = 0] = ports;
  assert.equal(args[args.indexOf('--port') + 1], String(first));
  assert.deepEqual(ports, [first, first + 1, first + 2]);
  const { processes } = await stack.snapshot();
  assert.equal(new Set(processes.slice(0, 3).map(({ pid }) => pid)).size, 1);
  assert.deepEqual(
    states.filter(({ state }) => state === 'ready').map(({ name }) => name),
    ['a-1', 'a-2', 'a-3', 'router'],
  );
});

test('a stack without a router runs its engines alone', async (context) => {
  const values = await valuesOf(entriesOf(embedded('a')), '', 'enableRouter: false');
  // The port of a router that does not run may be in use.
  const server = createTcpServer();
  context.after(() => server.close());
  const { containerPort } = values.routerSpec;
  await new Promise<void>((resolve) => server.listen(containerPort, '127.0.0.1', resolve));
  const { stack, started, states } = await stackOf(context, values);
  assert.deepEqual(stack.childNames, ['a']);
  await stack.start();
  assert.deepEqual(
    started.map(({ program }) => program),
    ['engine'],
  );
  const { processes, router } = await stack.snapshot();
  assert.equal(router, null);
  assert.deepEqual(
    processes.map(({ name, state }) => [name, state]),
    [['a', 'ready']],
  );
  assert.deepEqual(await stack.engineDetails('a'), {
    ...{ name: 'a', child: 'a', requests: [], picks: [], history: undefined },
  });
  await stack.stop();
  assert.equal(states.at(-1)?.state, 'stopped');
});

test('a program that restarts has its reason in the snapshot', async (context) => {
  const { stack } = await stackOf(context, await valuesOf(entriesOf(embedded('a'))));
  await stack.start();
  const engineOf = async () => (await stack.snapshot()).processes[0];
  process.kill((await engineOf())?.pid ?? 0, 'SIGKILL');
  await until(async () => (await engineOf())?.state === 'restarting');
  assert.match((await engineOf())?.detail ?? '', /^killed by SIGKILL.*; restarts in 0\.25 s$/);
  await until(async () => (await engineOf())?.state === 'ready');
  const engine = await engineOf();
  assert.deepEqual([engine?.restarts, engine?.detail], [1, '']);
});

test('if one engine cannot start, all are stopped', async (context) => {
  const failing = 'env: [{name: SCRIPTED_EXIT, value: "3"}]';
  const { stack, started } = await stackOf(
    context,
    await valuesOf(entriesOf(embedded('a'), embedded('b', failing))),
  );
  await assert.rejects(stack.start(), /b failed to start \(exit code 3/);
  const { processes } = await stack.snapshot();
  assert.deepEqual(
    processes.map(({ state }) => state),
    ['stopped', 'stopped', 'stopped'],
  );
  assert.ok(!started.some(({ program }) => program === 'router'));
});

test('vLLM is started by its own command, for as long as its startup probe waits', async (context) => {
  const command = JSON.stringify([process.execPath, script, 'serve']);
  const probe = 'startupProbe: {initialDelaySeconds: 0, periodSeconds: 1, failureThreshold: 1}';
  const values = await valuesOf(
    `${probe}, modelSpec: [{name: v, kind: vllm, modelURL: org/v, env: [{name: SCRIPTED_SILENT, value: "1"}]}]`,
    `spillway: {vllmCommand: ${command}}`,
  );
  const { stack, started } = await stackOf(context, values);
  await assert.rejects(stack.start(), /v was not ready within 1 s and was killed\./);
  // With so little time it may not have come to its first line.
  for (const { program, args } of started) {
    assert.deepEqual([program, args[0], args[1]], ['serve', 'org/v', '--host']);
  }
});

test('a port in use is reported before anything starts', async (context) => {
  const server = createTcpServer();
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const taken = (rest: string, router = '') =>
    valuesOf(entriesOf(embedded('a')), rest, router).then((values) => stackOf(context, values));
  await assert.rejects(
    taken(`spillway: {enginePort: ${port}}`),
    /Port \d+ on 127\.0\.0\.1 is in use.* --set spillway\.enginePort=…/,
  );
  const values = await valuesOf(entriesOf(embedded('a')));
  const busy = { ...values, routerSpec: { ...values.routerSpec, containerPort: port } };
  await assert.rejects(stackOf(context, busy), /Port \d+ on 127\.0\.0\.1 is in use.* --port/);
});

test('engines that publish KV events have two ports for them', async (context) => {
  const values = await valuesOf(
    entriesOf(embedded('a', 'replicaCount: 2, vllmConfig: {kvEvents: true}'), embedded('b')),
    'spillway: {engineProcesses: shared}',
  );
  const { stack } = await stackOf(context, values);
  const [a, b, c] = stack.members.map(({ backend }) => backend.kvEvents);
  assert.ok(a && b);
  assert.deepEqual(b, { events: a.events + 1, replay: a.replay + 1 });
  assert.equal(c, undefined);
});

test('the router is called on an address at which its interface is reachable', async (context) => {
  const urlOf = async (host: string) => {
    const values = await valuesOf(entriesOf(embedded('a')));
    const changed = { ...values, routerSpec: { ...values.routerSpec, host } };
    const { url } = (await stackOf(context, changed)).stack;
    return url.replace(`:${values.routerSpec.containerPort}`, ':PORT');
  };
  assert.equal(await urlOf('127.0.0.1'), 'http://127.0.0.1:PORT');
  assert.equal(await urlOf('0.0.0.0'), 'http://127.0.0.1:PORT');
  const hasIpv6 = Object.values(networkInterfaces())
    .flat()
    .some((address) => address?.address === '::1');
  if (!hasIpv6) return;
  assert.equal(await urlOf('::'), 'http://[::1]:PORT');
  assert.equal(await urlOf('::1'), 'http://[::1]:PORT');
});

test('a running engine without a model in the values is asked for it, with the key of engines', async (context) => {
  const keys: (string | undefined)[] = [];
  const url = await listening(context, ({ url: path, headers }, response) => {
    keys.push(headers.authorization);
    const data = path === '/v1/models' ? [{ id: 'org/served' }, { id: 'other' }] : [];
    response.end(JSON.stringify({ data }));
  });
  const far = entriesOf(`{name: far, urls: ["${url}"]}`);
  const { stack } = await stackOf(context, await valuesOf(far), { VLLM_API_KEY: 'engines' });
  assert.deepEqual(stack.members[0]?.backend, { name: 'far', url, model: 'org/served' });
  await stackOf(context, await valuesOf(far));
  assert.deepEqual(keys, ['Bearer engines', undefined]);
  const [process] = (await stack.snapshot()).processes;
  assert.deepEqual(process, {
    ...{ name: 'far', kind: 'url', url, model: 'org/served', state: 'remote', detail: '' },
    ...{ pid: undefined, restarts: 0 },
  });
  const named = entriesOf(`{name: far, urls: ["${url}"], modelURL: m}`);
  const { stack: other } = await stackOf(context, await valuesOf(named));
  assert.equal(other.members[0]?.backend.model, 'm');
  assert.equal(keys.length, 2, 'a model in the values is not asked for');
});
