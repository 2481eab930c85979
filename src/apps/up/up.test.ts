// What `spillway up` reports and when, with scripted programs in place of engines and routers.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../../test/support/until.ts';
import { resolveValues } from '../../core/values/index.ts';
import { freePorts } from '../../io/processes/index.ts';
import type { ReadyStack, UpOutput } from './output.ts';
import type { EngineDetails, ProcessSnapshot, StackSnapshot } from './snapshot.ts';
import { runUp, type UpOptions } from './up.ts';

const script = join(import.meta.dirname, '..', '..', '..', 'test/support/scripted-spillway.ts');

/** Keeps what it is given. */
class KeptOutput implements UpOutput {
  /** What was called, in order, without states and lines of processes. */
  readonly calls: string[] = [];
  readonly states: ProcessSnapshot[] = [];
  readonly lines: string[] = [];
  readonly snapshots: StackSnapshot[] = [];
  readonly details: EngineDetails[] = [];
  stack: ReadyStack | undefined;
  watchedEngine: string | undefined;

  engineDetails(details: EngineDetails): void {
    this.details.push(details);
  }

  starting(summary: string): void {
    this.calls.push(summary);
  }

  processState(process: ProcessSnapshot): void {
    this.states.push(process);
  }

  childLine(name: string, line: string): void {
    this.lines.push(`${name} ${line}`);
  }

  ready(stack: ReadyStack): void {
    this.stack = stack;
    this.calls.push('ready');
  }

  snapshot(stack: StackSnapshot): void {
    this.snapshots.push(stack);
  }

  stopping(reason: string, order: string): void {
    this.calls.push(`stopping: ${reason}`, order);
  }

  stopped(): void {
    this.calls.push('stopped');
  }
}

/** A run that ends with the test at the latest. */
async function start(
  context: TestContext,
  text: string,
  options: Partial<Pick<UpOptions, 'environment' | 'logDirectory'>> = {},
) {
  const [port = 0] = await freePorts(1);
  const sets = [`routerSpec.containerPort=${port}`, 'routerSpec.host=127.0.0.1'];
  const { values } = resolveValues({ files: [{ name: 'f', text }], sets });
  const output = new KeptOutput();
  const [stop, hurry] = [new AbortController(), new AbortController()];
  const signals = { stop: stop.signal, hurry: hurry.signal };
  const ended = runUp({
    ...{ values, output, signals, self: [process.execPath, script], environment: {} },
    ...options,
  });
  // A failure is seen by the test that awaits it.
  ended.catch(() => undefined);
  context.after(async () => {
    hurry.abort();
    stop.abort();
    await ended.catch(() => undefined);
  });
  return {
    output,
    stop: (reason: string) => stop.abort(reason),
    ended,
    url: `http://127.0.0.1:${port}`,
  };
}

const one = 'servingEngineSpec: {modelSpec: [{name: a, modelURL: org/m}]}';

test('up reports its start, when it can serve, its state twice a second, and its stop', async (context) => {
  const { output, stop, ended, url } = await start(context, one);
  await until(() => output.snapshots.length >= 3);
  stop('SIGINT');
  await ended;
  assert.deepEqual(output.calls, [
    'starting 1 engine (org/m on the default GPU, emulated) and the router (roundrobin)',
    ...['ready', 'stopping: SIGINT'],
    ...['the router finishes requests in flight, then the engines stop', 'stopped'],
  ]);
  const ready = output.stack ?? assert.fail();
  assert.deepEqual(
    [ready.apiUrl, ready.pageUrl, ready.models],
    [`${url}/v1`, `${url}/`, ['org/m']],
  );
  assert.ok(
    ready.curl.startsWith(`curl ${url}/v1/chat/completions `) && ready.curl.includes('org/m'),
  );
  assert.ok(ready.nodeLines.some((line) => line.includes(`${url}/v1`)));
  const seconds = ready.startSeconds;
  assert.ok(seconds > 0.02 && seconds < 60, `${seconds} s`);
  assert.equal(output.snapshots[0]?.router?.policy, 'no key');
  assert.deepEqual(
    output.states.filter(({ state }) => state === 'ready').map(({ name }) => name),
    ['a', 'router'],
  );
  assert.equal(output.states.at(-1)?.state, 'stopped');
  assert.match(output.lines.join('\n'), /^a \{"program":"engine"/m);
});

test('without a router, up lists the engines in its place', async (context) => {
  const text = `${one.replace('}]}', '}, {name: b, modelURL: org/n}]}')}
routerSpec: {enableRouter: false}`;
  const { output, stop, ended } = await start(context, text);
  await until(() => output.snapshots.length >= 1);
  stop('q');
  await ended;
  assert.deepEqual(output.calls, [
    'starting 1 engine (org/m on the default GPU, emulated), 1 engine (org/n on the default GPU, emulated) without a router',
    ...['ready', 'stopping: q', 'the engines stop', 'stopped'],
  ]);
  const ready = output.stack ?? assert.fail();
  assert.deepEqual([ready.apiUrl, ready.pageUrl], [undefined, undefined]);
  assert.deepEqual(
    ready.engines?.map(({ name, model }) => [name, model]),
    [
      ['a', 'org/m'],
      ['b', 'org/n'],
    ],
  );
  const [first] = ready.engines ?? [];
  assert.ok(ready.curl.startsWith(`curl ${first?.url}/v1/chat/completions `), ready.curl);
});

test('lines of each child go to its log file', async (context) => {
  const logDirectory = mkdtempSync(join(tmpdir(), 'spillway-up-'));
  context.after(() => rmSync(logDirectory, { recursive: true }));
  const { output, stop, ended } = await start(context, one, { logDirectory });
  await until(() => output.snapshots.length >= 1);
  stop('q');
  await ended;
  const textOf = (name: string) => readFileSync(join(logDirectory, `${name}.log`), 'utf8');
  await until(() => textOf('a') !== '' && textOf('router') !== '');
  assert.match(textOf('a'), /^\{"program":"engine".*\}\n$/);
  assert.match(textOf('router'), /^\{"program":"router".*\}\n$/);
});

test('a stop during the start is no error, and nothing is reported as ready', async (context) => {
  const silent = `servingEngineSpec:
  modelSpec: [{name: a, modelURL: org/m, env: [{name: SCRIPTED_SILENT, value: "1"}]}]`;
  const { output, stop, ended } = await start(context, silent);
  await until(() => output.states.some(({ state }) => state === 'starting'));
  stop('SIGTERM');
  await ended;
  assert.deepEqual(output.calls.slice(1), [
    'stopping: SIGTERM',
    'the router finishes requests in flight, then the engines stop',
    'stopped',
  ]);
  assert.deepEqual(output.snapshots, []);
});

test('a failed start is an error, after everything has stopped', async (context) => {
  const failing = `servingEngineSpec:
  modelSpec: [{name: a, modelURL: org/m, env: [{name: SCRIPTED_EXIT, value: "3"}]}]`;
  const { output, ended } = await start(context, failing);
  await assert.rejects(ended, /a failed to start \(exit code 3/);
  assert.deepEqual(output.calls.slice(1), ['stopped']);
});

test('the summary counts engines by model and kind', async (context) => {
  const server = createServer((_, response) => response.end());
  context.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const far = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const silent = 'env: [{name: SCRIPTED_EXIT, value: "2"}]';
  const text = `servingEngineSpec:
  modelSpec:
    - {name: a, modelURL: org/m, gpu: L4, replicaCount: 2, ${silent}}
    - {name: own, modelURL: org/m, gpu: {name: mine, memoryGB: 24, memoryGBps: 1000, tflops: 100}, ${silent}}
    - {name: v, kind: vllm, modelURL: org/v, ${silent}}
    - {name: far, urls: ["${far}"], modelURL: org/far}
spillway: {vllmCommand: ${JSON.stringify([process.execPath, script, 'serve'])}}
routerSpec: {routingLogic: predictive}`;
  const { output, ended } = await start(context, text);
  await assert.rejects(ended, /failed to start/);
  assert.equal(
    output.calls[0],
    `starting 2 engines (org/m on L4, emulated), 1 engine (org/m on mine, emulated), 1 engine (org/v by vLLM), 1 engine (org/far at ${far}) and the router (predictive)`,
  );
});

test('without the page there is no link to it, and a required key is in the help', async (context) => {
  const { output } = await start(context, `${one}\nspillway: {dashboard: false}`, {
    environment: { VLLM_API_KEY: 'engines' },
  });
  await until(() => output.stack !== undefined);
  assert.equal(output.stack?.pageUrl, undefined);
  assert.match(output.stack?.curl ?? '', /Bearer \$VLLM_API_KEY"/);
});

test('an output that watches an engine gets its log and its requests', async (context) => {
  const { output } = await start(context, one);
  output.watchedEngine = 'nobody';
  await until(() => output.snapshots.length >= 2);
  assert.equal(output.details.length, 0);
  output.watchedEngine = 'a';
  await until(() => output.details.length > 0);
  const [{ name, log, requests } = assert.fail()] = output.details;
  assert.deepEqual([name, log.length, requests.length], ['a', 1, 1]);
  assert.match(log[0] ?? '', /^\{"program":"engine"/);
});
