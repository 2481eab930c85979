// Ctrl-C in a real terminal, which sends SIGINT to the launcher and to the Node that it starts alike.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../src/io/processes/index.ts';
import { oldNode } from '../support/old-node.ts';
import { respond, startScriptedEngine } from '../support/scripted-engine.ts';
import { scriptedOpenai } from '../support/scripted-openai.ts';
import { ctrlC, inTerminal, noTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const root = join(import.meta.dirname, '..', '..');
const directory = mkdtempSync(join(tmpdir(), 'spillway-terminal-'));
after(() => rmSync(directory, { recursive: true }));
let files = 0;

/** Types Ctrl-C once, when `pattern` is on the screen. */
const onceAt = (pattern: RegExp) => {
  let isTyped = false;
  return (screen: string, type: (keys: string) => void): void => {
    if (isTyped || !pattern.test(screen)) return;
    isTyped = true;
    type(ctrlC);
  };
};

/** An environment in which each SIGINT of the program is counted. */
function counted() {
  const file = join(directory, `signals-${files++}`);
  const counter = join(root, 'test', 'support', 'count-signals.mjs');
  return {
    env: { SIGNALS_FILE: file, NODE_OPTIONS: `--import=${counter}` },
    count: () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0),
  };
}

const old = oldNode();
const nodes = [
  { name: 'this Node', node: process.execPath, skip: noTerminal },
  {
    name: 'an old Node',
    node: old ?? '',
    skip: noTerminal || (old === undefined && 'there is no Node older than 22.19 on the PATH'),
  },
];

for (const { name, node, skip } of nodes) {
  const spillway = `exec ${node} ${join(root, 'bin', 'spillway.mjs')}`;

  test(`${name}: Ctrl-C prints what bench replay has measured`, { skip }, async (t) => {
    const server = await scriptedOpenai({ gapMs: 20 });
    t.after(() => server.close());
    const trace = join(directory, 'trace.jsonl');
    const lines = [0, 0, 600_000].map((timestamp) =>
      JSON.stringify({ timestamp, input_length: 100, output_length: 3, hash_ids: [0] }),
    );
    writeFileSync(trace, lines.join('\n'));
    let isTyped = false;
    const { env, count } = counted();
    const { screen, status } = await inTerminal(
      `${spillway} bench replay --trace ${trace} --url ${server.url} --warmup 0`,
      {
        env,
        onOutput: (screen, type) => {
          if (isTyped || !/Replaying/.test(screen)) return;
          isTyped = true;
          void until(() => server.requests.length === 2 && server.open() === 0).then(() =>
            type(ctrlC),
          );
        },
      },
    );
    assert.equal(status, 130, screen);
    assert.match(screen, /Interrupted: 2 of 3 requests completed, 0 failed, 1 not sent/);
    assert.equal(count(), 1, screen);
  });

  test(`${name}: Ctrl-C lets the router finish the request in flight`, { skip }, async (t) => {
    let finish = () => {};
    const engine = await startScriptedEngine({
      onRequest: ({ socket }) => {
        finish = () => respond(socket, 200, '{"text":"done"}');
      },
    });
    t.after(() => engine.close());
    let answer: Promise<string> | undefined;
    const { env, count } = counted();
    const { screen, status } = await inTerminal(
      `${spillway} router --port 0 --static-backends ${engine.url}`,
      {
        env,
        onOutput: (screen, type) => {
          const [, url] = /router: (http:\S+)/.exec(screen) ?? [];
          if (answer !== undefined || url === undefined || !/is live/.test(screen)) return;
          const body = '{"model":"m","prompt":"Hi"}';
          answer = fetch(`${url}/v1/completions`, { method: 'POST', body }).then(
            (response) => response.text(),
            (error: Error) => `cut: ${error.message}`,
          );
          void until(() => engine.received.length === 1)
            .then(() => type(ctrlC))
            // Longer than the launcher waits before it passes a signal on.
            .then(() => sleep(1000))
            .then(() => finish());
        },
      },
    );
    assert.equal(await answer, '{"text":"done"}', screen);
    assert.equal(status, 0, screen);
    assert.equal(count(), 1, screen);
  });

  test(`${name}: Ctrl-C stops up in order, with plain lines and in the live view`, {
    skip,
  }, async () => {
    // The live view reads Ctrl-C as a key; it then signals itself.
    for (const flags of ['--plain', '']) {
      const [port] = await freePorts(1);
      const { env, count } = counted();
      const { screen, status } = await inTerminal(
        `${spillway} up --engines 1 --port ${port} ${flags}`,
        {
          env: { ...env, ...(flags === '' ? { TERM: 'xterm' } : {}) },
          onOutput: onceAt(/ready: \S+\/v1\r/),
        },
      );
      assert.equal(status, 0, screen);
      assert.match(screen, /stopping[\s\S]*stopped\r\n/);
      assert.equal(count(), 1, screen);
    }
  });

  test(`${name}: Ctrl-C stops npm start in order, though npm passes it on, too`, {
    skip,
  }, async () => {
    const [port] = await freePorts(1);
    const { env, count } = counted();
    const { screen, status } = await inTerminal(
      `cd ${root}; npm start -- --engines 1 --port ${port} --plain`,
      {
        env: { ...env, PATH: `${dirname(node)}:${process.env['PATH']}` },
        onOutput: onceAt(/ready: \S+\/v1\r/),
      },
    );
    // The shell between npm and the program gets the SIGINT, too, and ends by it.
    assert.equal(status, 130, screen);
    assert.match(screen, /stopping \(SIGINT\)[\s\S]*stopped\r\n/);
    assert.equal(count(), 1, screen);
  });

  test(`${name}: Ctrl-C ends plan and simulate with 130 and one line`, { skip }, async () => {
    const input = 'docs/guide/plan/cases/09-multi-tenant-rag.yaml';
    const trace = 'bench/data/mooncake-conversation.jsonl.gz';
    for (const [args, pattern] of [
      [`plan -f ${input}`, /simulating/],
      [`simulate --engines 8 --trace ${trace}`, /\d+ of [\d,]+ requests/],
    ] as const) {
      const { screen, status } = await inTerminal(`cd ${root}; ${spillway} ${args}`, {
        onOutput: onceAt(pattern),
      });
      assert.equal(status, 130, screen);
      // At the end of the line that shows progress, at once, and nothing after it.
      assert.match(screen, /\^C\r\nspillway: interrupted; nothing was written\.\r\n$/);
    }
  });

  test(`${name}: Ctrl-C ends a fit of calibrate, which blocks the thread, with one line`, {
    skip,
  }, async () => {
    const steps = join(directory, 'steps.csv');
    const head = 'prefill_tokens,prefill_context,decodes,decode_context,time_us';
    const rows = Array.from(
      { length: 4000 },
      (_, i) => `0,0,${1 + (i % 97)},${(i % 89) * 50},${5000 + i}`,
    );
    writeFileSync(steps, [head, ...rows].join('\n'));
    const { screen, status } = await inTerminal(
      `${spillway} calibrate --model Qwen3-8B --gpu H100-80GB --steps ${steps}`,
      { onOutput: onceAt(/fitting \d+ %/) },
    );
    assert.equal(status, 130, screen);
    assert.match(screen, /\^C\r\nspillway: interrupted; no profile was written\.\r\n/);
  });

  test(`${name}: Ctrl-C ends calibrate with one line`, { skip }, async (t) => {
    const page = readFileSync(
      join(root, 'src/apps/engine/fixtures/metrics-offload-fresh.txt'),
      'utf8',
    );
    let onRead = () => {};
    const server = createServer((_, response) => {
      response.end(page);
      onRead();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const { env, count } = counted();
    const flags = `--model opt-125m --gpu CPU --metrics-url http://127.0.0.1:${port}`;
    const { screen, status } = await inTerminal(
      `echo start; ${spillway} calibrate ${flags} --window 600s --interval 300s`,
      {
        env,
        onOutput: (screen, type) => {
          if (/start/.test(screen)) onRead = () => void setTimeout(type, 100, ctrlC);
        },
      },
    );
    assert.equal(status, 130, screen);
    assert.match(screen, /spillway: interrupted; no profile was written\.\r\n/);
    assert.equal(count(), 1, screen);
  });
}

test('a signal that only the launcher gets reaches the program', {
  skip: old === undefined && 'there is no Node older than 22.19 on the PATH',
}, async (t) => {
  const engine = await startScriptedEngine();
  t.after(() => engine.close());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const flags = ['router', '--port', '0', '--static-backends', engine.url];
    const { env, count } = counted();
    const router = spawn(old ?? '', [join(root, 'bin', 'spillway.mjs'), ...flags], {
      env: { ...process.env, ...env },
    });
    t.after(() => router.kill('SIGKILL'));
    await once(router.stdout, 'data');
    router.kill(signal);
    assert.deepEqual(await once(router, 'exit'), [0, null]);
    assert.equal(count(), signal === 'SIGINT' ? 1 : 0);
  }
});
