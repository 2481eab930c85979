// --dynamic-config-yaml and -json: a file that changes a running router, or leaves it as it is.
import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type RouterOptions, startRouter } from '../../src/apps/router/index.ts';
import { parseRouterView } from '../../src/core/views/index.ts';
import type { Logger } from '../../src/io/log/index.ts';
import { post } from '../support/router-stack.ts';
import { type ScriptedEngine, startScriptedEngine } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

test('a file adds and removes engines, and changes aliases, policy and session key, at once', async (t) => {
  const { write, open, engine, health } = await begin(t);
  const [a, b] = [await engine(), await engine()];
  await write(`service_discovery: static\nrouting_logic: roundrobin\nstatic_backends: ${a.url}\n`);
  const router = await open();
  await router.probed;
  assert.equal((await post(router, { model: 'm', messages: [] })).status, 200);
  assert.equal((await post(router, { model: 'chat', messages: [] })).status, 404);
  await write(
    [
      'routing_logic: session',
      'session_key: x-user',
      'static_models:',
      '  m:',
      `    static_backends: [${b.url}/]`,
      '    static_model_type: chat',
      'static_aliases: {chat: m}',
      'static_backend_health_check_interval: 7',
    ].join('\n'),
  );
  await until(async () => (await health(router)).dynamic_config?.routing_logic === 'session');
  await until(async () => (await post(router, { model: 'chat', messages: [] })).status === 200);
  assert.equal(a.received.length, 1);
  const { dynamic_config: config } = await health(router);
  assert.deepEqual(config, {
    callbacks: null,
    decode_model_labels: null,
    k8s_label_selector: null,
    k8s_namespace: null,
    k8s_port: null,
    prefill_model_labels: null,
    routing_logic: 'session',
    service_discovery: 'static',
    session_key: 'x-user',
    static_aliases: 'chat:m',
    static_backend_health_check_interval: 7,
    static_backend_health_check_timeout_seconds: 3,
    static_backend_health_checks: true,
    static_backends: b.url,
    static_model_labels: null,
    static_model_types: null,
    static_models: 'm',
  });
  const response = await fetch(`${router.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'x-user': 'anna' },
    body: JSON.stringify({ model: 'm', messages: [] }),
  });
  assert.match(response.headers.get('x-spillway-pick') ?? '', /session/);
});

test('an invalid file changes nothing, and the log reports its line and key once', async (t) => {
  const { path, write, open, engine, health, warnings } = await begin(t);
  const a = await engine();
  const good = `{"routing_logic": "roundrobin", "static_backends": "${a.url}"}`;
  await write(good);
  const router = await open();
  await router.probed;
  await until(async () => (await health(router)).dynamic_config !== undefined);
  const before = await health(router);
  const wrong: readonly (readonly [string, string])[] = [
    ['routing_logic: fastest\n', '1:16: routing_logic must be '],
    [
      `static_backends: ${a.url}\nrouting_logick: session\n`,
      '2:1: routing_logick is not a known key; did you mean routing_logic?',
    ],
    [
      'routing_logic: session\nstatic_backends: ftp://x\n',
      '2:1: static_backends: "ftp://x" is not an engine URL',
    ],
    [
      'static_backends: http://x\nstatic_models: m,n\n',
      '1:1: static_backends: static_models has 2 entries',
    ],
    ['static_aliases: nonsense\n', '1:1: static_aliases: static_aliases accepts alias:model'],
    ['service_discovery: k8s\n', '1:1: service_discovery "k8s" does not work here: this router'],
    ['static_model_labels: p\n', '1:1: static_backends: static_model_labels labels the engines of'],
    ['routing_logic: [\n', 'not valid YAML'],
  ];
  for (const [i, [text, message]] of wrong.entries()) {
    await write(text);
    await until(() => warnings.length === i + 1);
    assert.ok(warnings[i]?.startsWith(path), warnings[i]);
    assert.ok(warnings[i]?.includes(message), `${warnings[i]}\nhas not: ${message}`);
    assert.match(warnings[i] as string, / The current configuration stays in force\.$/);
    // The engine may miss a health check of a busy machine: /health says that for a moment.
    await until(async () => isDeepStrictEqual(await health(router), before));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(warnings.length, wrong.length);
  assert.equal((await post(router, { model: 'm', messages: [] })).status, 200);
  await write(good.replace('roundrobin', 'leastloaded'));
  await until(async () => (await health(router)).dynamic_config?.routing_logic === 'leastloaded');
});

test('a policy that is changed and changed back is in force again', async (t) => {
  const { write, open, engine } = await begin(t);
  const { url } = await engine();
  await write(`routing_logic: roundrobin\nstatic_backends: ${url}\n`);
  const router = await open();
  await router.probed;
  const policy = async () => {
    const response = await fetch(`${router.url}/debug/router`);
    return parseRouterView(await response.text()).policy;
  };
  assert.equal(await policy(), 'roundrobin');
  for (const name of ['leastloaded', 'roundrobin']) {
    await write(`routing_logic: ${name}\nstatic_backends: ${url}\n`);
    await until(async () => (await policy()) === name);
  }
});

test('a key that is removed from the file gets the value of its flag again', async (t) => {
  const { write, open, engine, health } = await begin(t);
  const [a, b] = [await engine(), await engine()];
  await write(`routing_logic: leastloaded\nstatic_backends: ${b.url}\n`);
  const router = await open({ engines: [{ url: a.url, models: [] }], policy: 'roundrobin' });
  const config = async () => {
    // Before an engine is live /health has no configuration to show.
    const { dynamic_config: shown } = await health(router);
    return [shown?.routing_logic, shown?.static_backends];
  };
  await until(async () => (await config())[0] !== undefined);
  assert.deepEqual(await config(), ['leastloaded', b.url]);
  await write('');
  await until(async () => (await config())[0] === 'roundrobin');
  assert.deepEqual(await config(), ['roundrobin', a.url]);
});

test('a file that no longer lists engines does not take the last ones away', async (t) => {
  const { write, open, engine, health, warnings } = await begin(t);
  const { url } = await engine();
  await write(`{"routing_logic": "roundrobin", "static_backends": "${url}"}`);
  const router = await open();
  await router.probed;
  // The second is the beginning of a file that is being written.
  const texts = ['{}', 'routing_logic: session\nsession_key: x\n', '', 'static_backends: ""\n'];
  for (const [i, text] of texts.entries()) {
    await write(text);
    await until(() => warnings.length >= 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(warnings.length, 1, `${i}`);
  }
  assert.match(
    warnings[0] as string,
    /config\.yaml lists no engines, which would leave the router without any: list them in static_backends\. The current configuration stays in force\.$/,
  );
  assert.equal((await health(router)).dynamic_config?.['static_backends'], url);
  assert.equal((await post(router, { model: 'm', messages: [] })).status, 200);
  await write(`routing_logic: leastloaded\nstatic_backends: ${url}\n`);
  await until(
    async () => (await health(router)).dynamic_config?.['routing_logic'] === 'leastloaded',
  );
});

test('an invalid file at startup is an error', async (t) => {
  const { write, open } = await begin(t);
  await write('routing_logic: fastest\n');
  await assert.rejects(open(), { code: 'ERR_INPUT', message: /config\.yaml:1:16: routing_logic/ });
});

async function begin(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-dynamic-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'config.yaml');
  const warnings: string[] = [];
  const log: Logger = {
    infoEnabled: false,
    debug() {},
    info() {},
    warning: (message) => {
      if (message.includes(path)) warnings.push(message);
    },
    error() {},
    flush() {},
  };
  return {
    path,
    warnings,
    // In one step: the router reads every few milliseconds here.
    write: async (text: string) => {
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    },
    engine: async (): Promise<ScriptedEngine> => {
      const engine = await startScriptedEngine();
      t.after(() => engine.close());
      return engine;
    },
    open: async (options: Partial<RouterOptions> = {}) => {
      const router = await startRouter({
        ...{ port: 0, engines: [], log, tickMs: 10, dynamicConfig: { path, pollMs: 5 } },
        ...options,
      });
      t.after(() => router.close(0));
      return router;
    },
    health: async ({ url }: { readonly url: string }) =>
      (await (await fetch(`${url}/health`)).json()) as {
        readonly dynamic_config?: Readonly<Record<string, unknown>>;
      },
  };
}
