import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { restartDelayMs } from './backoff.ts';
import { assertPortFree, Child, type ChildSpec, freePortRuns, freePorts } from './index.ts';
import { LineSplitter, lineCharactersMax } from './line-splitter.ts';

test('restarts wait 250 ms, then twice as long each time, and never above 30 s', () => {
  assert.deepEqual(
    [1, 2, 3, 7, 8, 1000].map(restartDelayMs),
    [250, 500, 1000, 16000, 30000, 30000],
  );
});

test('lines come out the same however the output was cut into chunks', () => {
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

test('an endless line is cut and marked, and the next line is whole again', () => {
  const seen: string[] = [];
  const splitter = new LineSplitter((line) => seen.push(line));
  for (let i = 0; i < 10; i++) splitter.push('x'.repeat(lineCharactersMax / 4));
  splitter.push('\r\nnext');
  splitter.end();
  assert.deepEqual(seen, [`${'x'.repeat(lineCharactersMax)} […]`, 'next']);
});

test('a child that ends says its exit code and its last word on stderr', async () => {
  const child = new Child(
    script('console.log("out"); console.error("disk full"); process.exit(3)'),
    ignore,
  );
  assert.equal((await child.exited).description, 'exit code 3: disk full');
});

test('a stack trace is described by its message, not by its frames', async () => {
  const child = new Child(script('throw new RangeError("no such model")'), ignore);
  assert.match((await child.exited).description, /^exit code 1: RangeError: no such model$/);
});

test('a program that does not exist is described as such', async () => {
  const child = new Child({ name: 'x', command: '/no/such', args: [], lifeline: 'guard' }, ignore);
  assert.equal((await child.exited).description, 'cannot be started: no such program');
});

test('a child that ignores SIGTERM is killed after the grace', async () => {
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

test('runs of free ports do not overlap, and each port of them can be listened on', async () => {
  const runs = await freePortRuns([3, 1, 3]);
  const ports = runs.flatMap((first, i) => (i === 1 ? [first] : [first, first + 1, first + 2]));
  assert.equal(new Set(ports).size, 7);
  for (const port of ports) await assertPortFree('127.0.0.1', port, '--port');
});

test('free ports are distinct and can be listened on', async () => {
  const ports = await freePorts(5);
  assert.equal(new Set(ports).size, 5);
  for (const port of ports) await assertPortFree('127.0.0.1', port, '--port');
});

test('a port in use is named in one sentence with the cure', async (context) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => server.close());
  const { port } = server.address() as { port: number };
  await assert.rejects(assertPortFree('127.0.0.1', port, '--port'), {
    code: 'ERR_INPUT',
    message: `port ${port} on 127.0.0.1 is in use: stop the program that listens there, or choose another port with --port.`,
  });
});

function script(text: string): ChildSpec {
  return { name: 'child', command: process.execPath, args: ['-e', text], lifeline: 'pipe' };
}

function ignore(): void {}
