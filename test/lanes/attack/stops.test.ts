// Ctrl-C and SIGTERM while a program starts: it ends at once or in order, leaves no process, no file and no port, and prints no trace.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../../src/io/processes/index.ts';

const bin = join(import.meta.dirname, '../../../bin/spillway.mjs');

/** Moments of the signal after the start, in milliseconds: modules are read until about 1,000, then ports are opened. */
const momentsMs = [40, 600, 900, 1100, 1300, 1800];
/** Of the signal until the end. A router is told to wait for no load balancer. */
const endMsMax = 10_000;

interface Program {
  /** Its arguments. */
  readonly args: (port: string, peer: string, respPort: string) => readonly string[];
}

const programs: Readonly<Record<string, Program>> = {
  engine: { args: (port) => ['engine', '--model', 'Qwen/Qwen3-8B', '--port', port] },
  router: {
    args: (port, peer) => [
      ...['router', '--port', port, '--static-backends', peer, '--static-models', 'm'],
      ...['--drain-delay', '0'],
    ],
  },
  'cache server': {
    args: (port, _, resp) => ['cache', '--port', port, '--resp-port', resp, '--memory', '64MiB'],
  },
  'cache server behind a front': {
    args: (port, _, resp) => [
      ...['cache', '--front', '--port', port, '--resp-port', resp, '--memory', '64MiB'],
    ],
  },
  stack: { args: (port) => ['up', '--port', port, '--engines', '2'] },
  operator: { args: (port) => ['operator', '--port', port] },
  gate: { args: (_, peer) => ['gate', '--prometheus', peer] },
  'benchmark of a silent server': {
    args: (_, peer) => ['bench', 'serve', '--url', `${peer}/v1`, '--json', 'result.json'],
  },
};

for (const [name, program] of Object.entries(programs)) {
  test(`${name}: a signal at any moment of its start leaves nothing`, {
    timeout: 110_000,
  }, async (t) => {
    const peer = await silentServer(t);
    const faults: string[] = [];
    for (const [index, moment] of momentsMs.entries()) {
      const signal = index % 2 === 0 ? 'SIGTERM' : 'SIGINT';
      const fault = await stopOnce(program, peer, signal, moment);
      if (fault !== undefined) faults.push(`${signal} after ${moment} ms: ${fault}`);
    }
    assert.deepEqual(faults, []);
  });
}

async function stopOnce(
  program: Program,
  peer: string,
  signal: NodeJS.Signals,
  moment: number,
): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-stop-'));
  const mark = randomUUID();
  const [port = 0, respPort = 0] = await freePorts(2);
  await writeFile(join(folder, 'kubeconfig'), kubeconfig(peer));
  const child = spawn(
    process.execPath,
    [bin, ...program.args(String(port), peer, String(respPort))],
    {
      cwd: folder,
      env: {
        ...process.env,
        ...{ SPILLWAY_TEST_MARK: mark, TMPDIR: folder, KUBECONFIG: join(folder, 'kubeconfig') },
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  try {
    return await faultOf(child, { folder, mark, port, signal, moment });
  } finally {
    for (const pid of await marked(mark)) process.kill(pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function faultOf(
  child: ChildProcess,
  at: {
    readonly folder: string;
    readonly mark: string;
    readonly port: number;
    readonly signal: NodeJS.Signals;
    readonly moment: number;
  },
): Promise<string | undefined> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  await Promise.race([delay(at.moment), closed]);
  if (child.exitCode !== null) return `it had ended with ${child.exitCode}: ${output}`;
  child.kill(at.signal);
  const ended = await Promise.race([closed, delay(endMsMax, undefined, { ref: false })]);
  if (ended === undefined) return `it still ran after ${endMsMax} ms`;
  const [status, by] = ended;
  const statuses = [0, at.signal === 'SIGINT' ? 130 : 143];
  if (by === null ? !statuses.includes(status ?? -1) : by !== at.signal) {
    return `it ended with ${status ?? by}: ${output}`;
  }
  if (/^\s+at .*:\d+/m.test(output)) return `a trace: ${output}`;
  const left = await marked(at.mark);
  if (left.length > 0) return `${left.length} processes are left`;
  if (!(await isFree(at.port))) return `port ${at.port} is still held`;
  const files = (await readdir(at.folder)).filter(
    (file) => file !== 'kubeconfig' && file !== 'node-compile-cache',
  );
  return files.length > 0 ? `files are left: ${files.join(', ')}` : undefined;
}

/** Processes with the mark in their environment, which children inherit. */
async function marked(mark: string): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      return environment.includes(mark) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** Accepts connections and never says a word. */
async function silentServer(t: TestContext): Promise<string> {
  const server: Server = createServer((socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  server.unref();
  return `http://127.0.0.1:${address.port}`;
}

function kubeconfig(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'c',
    users: [{ name: 'u', user: { token: 't' } }],
  });
}
