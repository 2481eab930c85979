// Wall clocks that jump, an hour back and a day forward, in a router with an embedded engine and in a cache server: nothing expires early,
// nothing hangs, and no metric is negative.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTarget, until } from './target.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const hourMs = 3_600_000;
const jumpsMs = [-hourMs, 24 * hourMs, -hourMs, 0];

/** A command of the program with a clock that its parent sets. @returns What it prints until then. */
async function start(
  t: TestContext,
  args: readonly string[],
  ready: RegExp,
): Promise<{ readonly child: ChildProcess; readonly printed: RegExpExecArray }> {
  const child = spawn(
    process.execPath,
    ['--import', join(import.meta.dirname, 'clock.mjs'), join(root, 'src/cli/main.ts'), ...args],
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
  t.after(() => child.kill('SIGKILL'));
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
  }
  await until(() => {
    if (child.exitCode !== null) throw new Error(printed);
    return ready.test(printed);
  });
  return { child, printed: ready.exec(printed) as RegExpExecArray };
}

/** Sends commands of Redis. @returns The replies. */
function asked(port: number, ...commands: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let replies = '';
    const socket = connect(port, '127.0.0.1', () => {
      for (const command of [...commands, 'QUIT']) {
        const words = command.split(' ');
        socket.write(
          `*${words.length}\r\n${words.map((w) => `$${w.length}\r\n${w}\r\n`).join('')}`,
        );
      }
    });
    socket.setEncoding('latin1').on('data', (text) => {
      replies += text;
    });
    socket.on('error', reject).on('close', () => resolve(replies));
  });
}

test('a router and its engine whose clocks jump while a response is streamed', async (t) => {
  const engine = await start(t, ['engine', '--port', '0'], /http:\/\/\S+:\d+/);
  const router = await startTarget(t, ['--engine-stats-interval', '1'], [engine.printed[0]], {
    imports: ['clock.mjs'],
  });
  const { data } = (await (await fetch(`${engine.printed[0]}/v1/models`)).json()) as {
    readonly data: readonly { readonly id: string }[];
  };
  const model = data[0]?.id;
  const ask = async (stream: boolean, tokens: number) => {
    const response = await fetch(`${router.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(20_000),
      body: JSON.stringify({ model, prompt: 'Hi', max_tokens: tokens, ignore_eos: true, stream }),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return text;
  };
  for (const jumpMs of jumpsMs) {
    const streamed = ask(true, 100);
    await sleep(200);
    engine.child.send({ jumpMs });
    router.tell({ jumpMs });
    assert.match(await streamed, /data: \[DONE\]/);
    await ask(false, 3);
    await sleep(1_500);
    for (const url of [router.adminUrl, engine.printed[0]]) {
      assert.equal((await fetch(`${url}/health`)).status, 200, `${url} after ${jumpMs} ms`);
      const page = await (await fetch(`${url}/metrics`)).text();
      assert.deepEqual(page.match(/^(?!#|vllm:avg_).* (-\d|NaN).*$/gm) ?? [], []);
    }
    const history = await (await fetch(`${router.adminUrl}/dashboard/history`)).text();
    const { times = [] } = JSON.parse(history) as { readonly times?: readonly number[] };
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
      'points of the history are in order',
    );
  }
  assert.doesNotMatch(router.log(), /ejected|not respond|failed/);
});

test('a cache server whose clock jumps: values below memory live as long as they should', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-attack-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { child, printed } = await start(
    t,
    [
      ...['cache', '--port', '0', '--resp-port', '0', '--http-port', '0', '--memory', '1MiB'],
      ...['--disk', folder, '--disk-size', '64MiB'],
    ],
    /redis:\/\/\S+:(\d+)[\s\S]*http:\/\/\S+:(\d+)/,
  );
  const port = Number(printed[1]);
  const value = 'x'.repeat(200_000);
  const fill = () => asked(port, ...Array.from({ length: 10 }, (_, i) => `SET fill${i} ${value}`));
  for (const jumpMs of jumpsMs) {
    await asked(port, `SET long ${value} EX 600`, `SET short ${value} EX 2`);
    // Out of memory, so that both are on the disk only.
    await fill();
    child.send({ jumpMs });
    await sleep(500);
    const there = await asked(port, 'STRLEN long', 'TTL long');
    const [, length, ttl] = /^:(\d+)\r\n:(-?\d+)/.exec(there) ?? [];
    assert.equal(Number(length), value.length, `a value of 600 s after ${jumpMs} ms`);
    assert.ok(Number(ttl) > 500 && Number(ttl) <= 600, `it lives for ${ttl} s more`);
    await sleep(2_000);
    assert.match(await asked(port, 'STRLEN short'), /^:0\r\n/, `one of 2 s after ${jumpMs} ms`);
  }
  const page = await (await fetch(`http://127.0.0.1:${printed[2]}/metrics`)).text();
  assert.deepEqual(page.match(/^(?!#).* (-\d|NaN).*$/gm) ?? [], []);
});
