// Engine URLs as people write them: with credentials, with /v1 at the end, several times with other models.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startRouter } from '../../src/apps/router/index.ts';
import { discoveries } from '../../src/io/endpoints/index.ts';
import { createLogger, type Logger } from '../../src/io/log/index.ts';
import { post, stack } from '../support/router-stack.ts';
import { respond, type Script, startScriptedEngine } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const secret = 's3cret';
const basic = `Basic ${btoa(`ann:${secret}`)}`;

/** A log whose lines are kept. */
function keptLog() {
  const lines: string[] = [];
  const keep = (message: string) => void lines.push(message);
  const log: Logger = {
    ...{ infoEnabled: true, debug: keep, info: keep, warning: keep, error: keep, flush() {} },
  };
  return { lines, log };
}

test('credentials in an engine’s URL are its Authorization, and nobody else sees them', async (t) => {
  const { lines, log } = keptLog();
  const seen: (string | undefined)[] = [];
  const script: Script = {
    authorization: basic,
    onRequest: ({ socket, headers }) => {
      seen.push(headers.get('authorization'));
      respond(socket, 200, '{"ok":true}');
    },
  };
  const engine = await startScriptedEngine(script);
  const given = engine.url.replace('http://', `http://ann:${secret}@`);
  const router = await startRouter({
    ...{ port: 0, engines: [{ url: `${given}/v1`, models: [] }], log, tickMs: 10 },
    engineApiKey: 'key of others',
  });
  t.after(async () => {
    await router.close(0);
    await engine.close();
  });
  await router.probed;
  const answer = await post(
    router,
    { model: 'm' },
    { headers: { authorization: 'Bearer client' } },
  );
  assert.equal(answer.status, 200, await answer.clone().text());
  assert.deepEqual(seen, [basic]);
  assert.equal(answer.headers.get('x-spillway-engine'), engine.url);
  const texts = [...lines, ...answer.headers.values()];
  for (const path of ['/engines', '/metrics', '/debug/router', '/v1/models', '/health']) {
    texts.push(await (await fetch(router.url + path)).text());
  }
  for (const text of texts) {
    assert.ok(!text.includes(secret) && !text.includes(basic), text);
  }
  assert.ok(
    lines.some((line) => /\/v1: used as http/.test(line)),
    lines.join('\n'),
  );
});

test('an engines file may change the credentials of an engine', async (t) => {
  const engine = await startScriptedEngine();
  const folder = await mkdtemp(join(tmpdir(), 'spillway-urls-'));
  const path = join(folder, 'engines.yaml');
  const write = (password: string) =>
    writeFile(path, `engines: [{url: "${engine.url.replace('//', `//ann:${password}@`)}"}]\n`);
  await write('old');
  const { lines, log } = keptLog();
  const source = discoveries.find(({ kind }) => kind === 'file')?.open([path], log);
  assert.ok(source);
  const router = await startRouter({
    port: 0,
    engines: source,
    discovery: 'file',
    log,
    tickMs: 10,
  });
  t.after(async () => {
    await router.close(0);
    await engine.close();
    await rm(folder, { recursive: true });
  });
  await router.probed;
  const password = async () => {
    await post(router, { model: 'm' });
    return atob((engine.received.at(-1)?.headers.get('authorization') ?? '').slice(6));
  };
  assert.equal(await password(), 'ann:old');
  await write('new');
  await until(async () => (await password()) === 'ann:new');
  assert.doesNotMatch(lines.join('\n'), /ann|old@|new@/);
});

test('an engine that is listed twice is one, with both models', async (context) => {
  const engine = await startScriptedEngine({ listing: '{"data":[]}' });
  context.after(() => engine.close());
  const log = createLogger({ stream: process.stderr, level: 'critical', format: 'text' });
  const { url } = engine;
  const engines = [
    { url, models: ['a'] },
    { url: `${url}/`, models: ['b'] },
  ];
  const router = await startRouter({ port: 0, engines, log, tickMs: 10 });
  context.after(() => router.close(0));
  await router.probed;
  for (const model of ['a', 'b']) assert.equal((await post(router, { model })).status, 200, model);
  const listed = (await (await fetch(`${router.url}/engines`)).json()) as readonly unknown[];
  assert.equal(listed.length, 1);
});

test('a pattern of aliases leads to its model, and not where an engine has the name', async (context) => {
  const aliases = new Map([
    ['claude-*', 'large'],
    ['chat', 'large'],
  ]);
  const { router, engines } = await stack(context, [{ models: ['large', 'claude-own'] }], {
    aliases,
  });
  const asked = async (model: string) => {
    const { status } = await post(router, { model });
    return [status, JSON.parse(engines[0]?.received.at(-1)?.body ?? '{}').model];
  };
  assert.deepEqual(await asked('claude-sonnet-4'), [200, 'large']);
  assert.deepEqual(await asked('claude-own'), [200, 'claude-own']);
  assert.equal((await post(router, { model: 'gpt-4o' })).status, 404);
  const { data } = (await (await fetch(`${router.url}/v1/models`)).json()) as {
    readonly data: readonly { readonly id: string }[];
  };
  assert.deepEqual(data.map(({ id }) => id).sort(), ['chat', 'claude-own', 'large']);
});
