// Programs of a test in this lane: our engines and routers as a user starts them, and third-party
// programs. Each is a child process that ends with the test file.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { freePorts } from '../../../src/io/processes/index.ts';

/** Maximum time until a program listens; a Python program on a busy machine needs many seconds. */
const startTimeoutMs = 60_000;

/** Folder for the files of this test file's programs; removed at its end. */
export const directory = mkdtempSync(join(tmpdir(), 'spillway-clients-'));
const running = new Set<ChildProcess>();

after(async () => {
  await Promise.all([...running].map((child) => stop(child)));
  rmSync(directory, { recursive: true, force: true });
});

export interface Program {
  /** URL where it listens, without a path. */
  readonly url: string;
  /** Returns its output so far. */
  output(): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * Starts `command`, and waits until `path` on its port responds with 200.
 *
 * @param options.command Called with the port on which it must listen, and a second one for other
 * uses.
 */
export async function startProgram(options: {
  readonly name: string;
  readonly command: (port: number, sparePort: number) => readonly string[];
  readonly readyPath: string;
  readonly environment?: Readonly<Record<string, string>>;
}): Promise<Program> {
  const [port = 0, sparePort = 0] = await freePorts(2);
  const [executable = '', ...args] = options.command(port, sparePort);
  const logFile = join(directory, `${options.name}-${port}.log`);
  const child = spawn(executable, args, {
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const log = createWriteStream(logFile);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const output = () => stripVTControlCharacters(readFileSync(logFile, 'utf8'));
  const url = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + startTimeoutMs;
  while (!(await answers(`${url}${options.readyPath}`))) {
    const ended = child.exitCode ?? child.signalCode;
    if (ended !== null || performance.now() > deadline) {
      throw new Error(`${options.name} ${ended === null ? 'did not start' : `ended with ${ended}`}:
${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { url, output, stop: (signal) => stop(child, signal) };
}

export interface Engine extends Program {
  /** Endpoints where its KV events are published and replayed. */
  readonly events: string;
  readonly replay: string;
}

/** `spillway engine` with KV events, in development mode (for /reset_prefix_cache). */
export async function startEngine(flags: readonly string[]): Promise<Engine> {
  const [eventsPort = 0, replayPort = 0] = await freePorts(2);
  const program = await startProgram({
    name: 'engine',
    readyPath: '/health',
    environment: { VLLM_SERVER_DEV_MODE: '1' },
    command: (port) => [
      ...[process.execPath, 'bin/spillway.mjs', 'engine', '--port', String(port)],
      ...['--enable-auto-tool-choice', '--tool-call-parser', 'hermes'],
      '--enable-prompt-tokens-details',
      '--kv-events-config',
      JSON.stringify({
        ...{ enable_kv_cache_events: true, publisher: 'zmq' },
        endpoint: `tcp://*:${eventsPort}`,
        replay_endpoint: `tcp://*:${replayPort}`,
      }),
      ...flags,
    ],
  });
  const at = (port: number) => `tcp://127.0.0.1:${port}`;
  return { ...program, events: at(eventsPort), replay: at(replayPort) };
}

/** `spillway router` over `engines`. */
export function startSpillwayRouter(
  engines: readonly Program[],
  options: {
    readonly flags?: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
  } = {},
): Promise<Program> {
  const { flags = [], environment = {} } = options;
  return startProgram({
    ...{ name: 'router', readyPath: '/health', environment },
    command: (port) => [
      ...[process.execPath, 'bin/spillway.mjs', 'router', '--port', String(port)],
      ...['--static-backends', engines.map(({ url }) => url).join(',')],
      ...flags,
    ],
  });
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const killer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(killer);
}
