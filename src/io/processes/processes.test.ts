import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { restartDelayMs } from './backoff.ts';
import { assertPortFree, Child, type ChildSpec, freePortRuns, freePorts } from './index.ts';
import { LineSplitter, lineCharactersMax } from './line-splitter.ts';

test('the wait before a restart starts at 250 ms, doubles each time, and never exceeds 30 s', () => {
  assert.deepEqual(
    [1, 2, 3, 7, 8, 1000].map(restartDelayMs),
    [250, 500, 1000, 16000, 30000, 30000],
  );
});

test('lines do not depend on how the output is split into chunks', () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z ]{0,9}$/)),
      fc.infiniteStream(fc.nat(7)),
      (lines, sizes) => {
        let text = lines.map((line) => `${line}\n`).join('');
        const seen: string[] = [];
        const splitter = new LineSplitter((line) => seen.push(line));
        for (const size of sizes) {
          if (text === '') break;
          splitter.push(text.slice(0, size + 1));
          text = text.slice(size + 1);
        }
        assert.deepEqual(seen, lines);
      },
    ),
  );
});

test('an endless line is truncated and marked, and the next line is complete', () => {
  const seen: string[] = [];
  const splitter = new LineSplitter((line) => seen.push(line));
  for (let i = 0; i < 10; i++) splitter.push('x'.repeat(lineCharactersMax / 4));
  splitter.push('\r\nnext');
  splitter.end();
  assert.deepEqual(seen, [`${'x'.repeat(lineCharactersMax)} […]`, 'next']);
});

test('the description of an exit has the exit code and the last line of stderr', async () => {
  const child = new Child(
    script('console.log("out"); console.error("disk full"); process.exit(3)'),
    ignore,
  );
  assert.equal((await child.exited).description, 'exit code 3: disk full');
});

test('the description of an exit with a stack trace has its message, not its frames', async () => {
  const child = new Child(script('throw new RangeError("no such model")'), ignore);
  assert.match((await child.exited).description, /^exit code 1: RangeError: no such model$/);
});

test('the description says when the program does not exist', async () => {
  const child = new Child({ name: 'x', command: '/no/such', args: [], lifeline: 'guard' }, ignore);
  assert.equal((await child.exited).description, 'cannot be started: no such program');
});

test('a child that ignores SIGTERM is killed after the grace period', async () => {
  const lines: string[] = [];
  const child = new Child(
    script(
      'process.on("SIGTERM", () => console.log("no")); setInterval(() => {}, 1e6); console.log("up")',
    ),
    (_stream, line) => lines.push(line),
  );
  while (lines.length === 0) await new Promise(setImmediate);
  assert.equal((await child.stop(100)).signal, 'SIGKILL');
  assert.deepEqual(lines, ['up', 'no']);
});

test('runs of free ports do not overlap, and each port can be listened on', async () => {
  const runs = await freePortRuns([3, 1, 3]);
  const ports = runs.flatMap((first, i) => (i === 1 ? [first] : [first, first + 1, first + 2]));
  assert.equal(new Set(ports).size, 7);
  for (const port of ports) await assertPortFree('127.0.0.1', port, '--port');
});

test('free ports are distinct, can be listened on, and are none that outgoing connections get', async () => {
  const ports = await freePorts(5);
  assert.equal(new Set(ports).size, 5);
  assert.ok(Math.max(...ports) < 32_768, String(ports));
  for (const port of ports) await assertPortFree('127.0.0.1', port, '--port');
});

test('the error of a port in use names the port and the remedy', async (context) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  const { port } = server.address() as { port: number };
  await assert.rejects(assertPortFree('127.0.0.1', port, '--port'), {
    code: 'ERR_INPUT',
    message: `Port ${port} on 127.0.0.1 is in use; stop the program that listens there, or choose another port with --port.`,
  });
});

function script(text: string): ChildSpec {
  return { name: 'child', command: process.execPath, args: ['-e', text], lifeline: 'pipe' };
}

function ignore(): void {}
