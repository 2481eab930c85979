// `spillway config` as a shell runs it: streams, pipes and exit statuses.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const bin = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');

async function run(
  args: readonly string[],
  options: { stdin?: string; closeStdout?: boolean } = {},
): Promise<{ out: string; err: string; status: number | null }> {
  const child = spawn(process.execPath, [bin, 'config', ...args]);
  const exit = new Promise<number | null>((resolve) => child.on('exit', resolve));
  child.stdin.end(options.stdin ?? '');
  if (options.closeStdout) child.stdout.destroy();
  const [out, err, status] = await Promise.all([
    options.closeStdout ? '' : text(child.stdout),
    text(child.stderr),
    exit,
  ]);
  return { out, err, status };
}

test('values come from standard input and go to standard output, ready for the next command', async () => {
  const first = await run(['show', '--preset', 'gpu', '--defaults']);
  assert.deepEqual([first.err, first.status], ['', 0]);
  const second = await run(['show', '-f', '-', '--defaults'], { stdin: first.out });
  assert.deepEqual(second, first);
});

test('a reader that leaves early is no error', async () => {
  const { err, status } = await run(['schema'], { closeStdout: true });
  assert.deepEqual({ err, status }, { err: '', status: 0 });
});

test('bad values end with 2 and one line for each problem on standard error', async () => {
  const stdin = 'routerSpec:\n  routingLogic: rondrobin\n  port: 1\n';
  const { out, err, status } = await run(['validate', '-f', '-'], { stdin });
  assert.deepEqual([out, status], ['', 2]);
  assert.match(
    err,
    /^stdin:2:17: routerSpec\.routingLogic must be one of .*; did you mean roundrobin\?\nstdin:3:3: routerSpec\.port is not a known key; did you mean containerPort\?\n$/,
  );
});

test('bad values stop "config show" with the same sentence', async () => {
  const { out, err, status } = await run(['show', '--set', 'routerSpec.replicaCount=two']);
  assert.deepEqual(
    { out, err, status },
    {
      out: '',
      err: 'spillway: --set routerSpec.replicaCount=two: routerSpec.replicaCount must be a whole number of at least 0, not the text "two".\n',
      status: 2,
    },
  );
});
