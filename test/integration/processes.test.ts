// The supervisor with real processes: restarts, deadlines, and no orphans.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kill } from 'node:process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { freePorts, Service, type ServiceSpec } from '../../src/io/processes/index.ts';
import { until } from '../support/until.ts';

test('a service that dies is started again on its port', async (context) => {
  const { service, states } = await serverService(`console.log('hello')`);
  context.after(() => service.stop());
  await service.start();
  const first = service.pid ?? 0;
  kill(first, 'SIGKILL');
  await until(() => service.state === 'ready' && service.pid !== first);
  assert.equal(service.restarts, 1);
  assert.deepEqual(states, [
    'starting',
    'ready',
    'restarting: killed by SIGKILL: hello; restarts in 0.25 s',
    'starting',
    'ready',
  ]);
});

test('a service that dies at start is one sentence with its exit code and last line', async () => {
  const { service } = await serverService(`console.error('CUDA out of memory'); process.exit(7)`);
  await assert.rejects(service.start(), {
    code: 'ERR_CHILD',
    message: 'engine-1 failed to start (exit code 7: CUDA out of memory).',
  });
});

test('a service whose first start fails by chance is started once more where that is allowed', async (context) => {
  const marker = join(await mkdtemp(join(tmpdir(), 'start-')), 'tried');
  const failsOnce = `const { existsSync, writeFileSync } = require('node:fs');
    if (!existsSync('${marker}')) { writeFileSync('${marker}', ''); console.error('OSError: in use'); process.exit(1); }`;
  const { service, states } = await serverService(failsOnce, { startRetriesMax: 1 });
  context.after(() => service.stop());
  await service.start();
  assert.equal(service.restarts, 1);
  assert.deepEqual(states, [
    'starting',
    'restarting: exit code 1: OSError: in use; restarts in 0.25 s',
    'starting',
    'ready',
  ]);
});

test('wrong arguments, exit code 2, are not tried again, nor a start that failed as often as allowed', async () => {
  const wrong = await serverService('process.exit(2)', { startRetriesMax: 1 });
  await assert.rejects(wrong.service.start(), {
    message: 'engine-1 failed to start (exit code 2).',
  });
  assert.equal(wrong.service.restarts, 0);
  const lasting = await serverService('process.exit(1)', { startRetriesMax: 1 });
  await assert.rejects(lasting.service.start(), {
    message: 'engine-1 failed to start (exit code 1).',
  });
  assert.equal(lasting.service.restarts, 1);
});

test('a service that is never ready is killed at its deadline', async () => {
  const { service } = await serverService('status = 503', { startDeadlineMs: 400 });
  await assert.rejects(service.start(), {
    message: 'engine-1 was not ready within 0.4 s and was killed.',
  });
  assert.equal(isAlive(service.pid ?? 0), false);
});

test('stopping a service while it starts ends it and leaves no process', async () => {
  const { service } = await serverService('status = 503');
  const started = service.start().catch((error: Error) => error.message);
  await until(() => service.pid !== undefined);
  await service.stop();
  assert.equal(await started, 'engine-1 was stopped.');
  assert.equal(isAlive(service.pid ?? 0), false);
});

test('stopping a service also ends what it started itself', async () => {
  const { service, lines } = await serverService(
    `const { spawn } = require('node:child_process'); console.log(spawn('sleep', ['1000']).pid)`,
  );
  await service.start();
  await until(() => lines.length > 0);
  await service.stop();
  await until(() => !isAlive(Number(lines[0])));
});

test('children end by themselves when their parent is killed with SIGKILL', async () => {
  const parent = spawn(process.execPath, [
    join(import.meta.dirname, '..', 'support', 'parent-process.ts'),
  ]);
  const [line] = await once(createInterface(parent.stdout), 'line');
  const pids = String(line).split(' ').map(Number);
  assert.deepEqual(pids.map(isAlive), [true, true]);
  parent.kill('SIGKILL');
  await until(() => !pids.some(isAlive));
});

/** A service around a small HTTP server; `text` runs first and may set `status`. */
async function serverService(text: string, overrides: Partial<ServiceSpec> = {}) {
  const [port = 0] = await freePorts(1);
  const states: string[] = [];
  const lines: string[] = [];
  const server = `let status = 200; ${text};
    require('node:http').createServer((_, r) => { r.statusCode = status; r.end(); }).listen(${port}, '127.0.0.1')`;
  const service = new Service(
    {
      name: 'engine-1',
      command: process.execPath,
      args: ['-e', server],
      lifeline: 'pipe',
      healthUrl: `http://127.0.0.1:${port}/health`,
      startDeadlineMs: 10_000,
      stopGraceMs: 2_000,
      ...overrides,
    },
    {
      onLine: (_service, _stream, line) => lines.push(line),
      onState: (_service, state, detail) => states.push(detail ? `${state}: ${detail}` : state),
    },
  );
  return { service, states, lines };
}

/** Whether the process runs; a dead one that nobody has collected yet does not. */
function isAlive(pid: number): boolean {
  try {
    kill(pid, 0);
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (error) {
    // No /proc on this system: the signal alone has answered.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync('/proc');
  }
}
