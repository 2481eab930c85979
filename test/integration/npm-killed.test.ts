// What a script of package.json does when its npm is killed: the shell between them passes nothing on.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { until } from '../support/until.ts';

const follower = `
import { followParent } from ${JSON.stringify(new URL('../../scripts/follow-parent.mjs', import.meta.url).href)};
process.on('SIGTERM', () => process.exit());
followParent();
process.stdout.write(process.ppid + ' ' + process.pid + '\\n');
setInterval(() => {}, 1e6);
`;

/** In the place of npm: runs the script in a shell that does not become the script. */
const npm = `
const { spawn } = require('node:child_process');
spawn('sh', ['-c', '"$0" --input-type=module -e "$SCRIPT"; true', process.execPath], { stdio: 'inherit' });
`;

interface Family {
  readonly npm: ChildProcess;
  readonly shell: number;
  readonly script: number;
}

async function family(t: TestContext, environment: Record<string, string>): Promise<Family> {
  const parent = spawn(process.execPath, ['-e', npm], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SCRIPT: follower, ...environment },
    detached: true,
  });
  t.after(() => {
    try {
      process.kill(-(parent.pid as number), 'SIGKILL');
    } catch {
      // All of them have ended.
    }
  });
  const line = await new Promise<string>((resolve) =>
    parent.stdout.once('data', (data) => resolve(String(data))),
  );
  const [shell = 0, script = 0] = line.trim().split(' ').map(Number);
  return { npm: parent, shell, script };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const asNpm = { npm_lifecycle_event: 'start' };

test('a script ends when its npm is killed, though the shell between them lives', async (t) => {
  const { npm, shell, script } = await family(t, asNpm);
  npm.kill('SIGKILL');
  await until(() => !isAlive(script));
  await until(() => !isAlive(shell));
});

test('a script ends when npm passes a signal to its shell only', async (t) => {
  const { shell, script } = await family(t, asNpm);
  process.kill(shell, 'SIGTERM');
  await until(() => !isAlive(script));
});

test('a program that npm did not start outlives its parents', async (t) => {
  const { npm, script } = await family(t, { npm_lifecycle_event: '' });
  npm.kill('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assert.ok(isAlive(script));
});
