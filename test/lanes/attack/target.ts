// A router in a process of its own with one scripted engine, and the clients that should notice nothing.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { request as requestTls } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ScriptedEngine, startScriptedEngine } from '../../support/scripted-engine.ts';

const root = join(import.meta.dirname, '..', '..', '..');

export interface Measured {
  /** Longest time on the processor of reference without a look at timers, since the last report. */
  readonly longestPauseMs: number;
  readonly rssMiB: number;
  readonly peakRssMiB: number;
}

export interface Target {
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string;
  readonly engine: ScriptedEngine;
  /** Aborted at the end of the test, whatever its outcome. */
  readonly over: AbortSignal;
  /** All that the router has logged. */
  readonly log: () => string;
  measure(): Promise<Measured>;
  /** Sends a message to the modules that the router has loaded first. */
  tell(message: object): void;
  /** A connection of an attacker; errors are expected. */
  attack(): Socket;
}

export interface TargetOptions {
  /** Added to the environment of the router. */
  readonly env?: Readonly<Record<string, string>>;
  /** Modules of this folder that the router loads first. */
  readonly imports?: readonly string[];
  /** A command that starts the one after it. */
  readonly through?: readonly string[];
}

/** @param urls Other engines in place of the scripted one; none for a router whose flags name them. */
export async function startTarget(
  t: TestContext,
  flags: readonly string[] = [],
  urls?: readonly string[],
  { env, imports = [], through = [] }: TargetOptions = {},
): Promise<Target> {
  const engine = await startScriptedEngine();
  const [command = '', ...first] = [...through, process.execPath];
  const child = spawn(
    command,
    [
      ...first,
      ...['meter.mjs', ...imports].flatMap((name) => ['--import', join(import.meta.dirname, name)]),
      ...[join(root, 'src/cli/main.ts'), 'router', '--port', '0', '--admin-port', '0'],
      ...(urls?.length === 0 ? [] : ['--static-backends', urls?.join(',') ?? engine.url]),
      ...flags,
    ],
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...process.env, ...env } },
  );
  let log = '';
  child.stderr?.setEncoding('latin1').on('data', (text) => {
    log += text;
  });
  const sockets = new Set<Socket>();
  const over = new AbortController();
  t.after(async () => {
    over.abort();
    for (const socket of sockets) socket.destroy();
    child.kill('SIGKILL');
    await engine.close();
  });
  const [url, adminUrl] = await addressesOf(child, () => log);
  await until(async () => (await fetch(`${adminUrl}/health`)).status === 200);
  const { port } = new URL(url);
  return {
    ...{ url, port: Number(port), adminUrl, engine, over: over.signal, log: () => log },
    tell: (message) => child.send(message),
    measure: async () => {
      child.send('report');
      return (await once(child, 'message'))[0] as Measured;
    },
    attack: () => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      sockets.add(socket);
      return socket;
    },
  };
}

async function addressesOf(child: ChildProcess, log: () => string): Promise<[string, string]> {
  let printed = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  await until(() => {
    if (child.exitCode !== null) throw new Error(`the router did not start: ${log()}`);
    return /admin: .*\n/.test(printed);
  });
  const found = /router: (\S+)\nadmin: (\S+)\n/.exec(printed);
  return [found?.[1] ?? '', found?.[2] ?? ''];
}

/** What a well-behaved client has noticed. */
export interface Noticed {
  readonly served: number;
  readonly failures: readonly string[];
  readonly longestMs: number;
}

/** A client with an address of its own that sends one request after the other, each on a new connection. */
export function startBystander(
  { url, adminUrl, over }: Target,
  options: { readonly ca?: string; readonly key?: string } = {},
): { stop(): Promise<Noticed> } {
  const failures: string[] = [];
  let [served, longestMs, isStopped] = [0, 0, false];
  const body = '{"model":"m","messages":[{"role":"user","content":"Hi"}]}';
  const send = url.startsWith('https') ? requestTls : request;
  const one = () =>
    new Promise<number>((resolve, reject) => {
      const headers = {
        'content-length': body.length,
        ...(options.key && { authorization: `Bearer ${options.key}` }),
      };
      const sent = send(
        `${url}/v1/chat/completions`,
        {
          ...{ method: 'POST', headers, agent: false, localAddress: '127.0.0.9', timeout: 15_000 },
          ...(options.ca && { ca: options.ca }),
        },
        (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)),
      );
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no response in 15 s')));
      sent.end(body);
    });
  const work = (async () => {
    while (!isStopped && !over.aborted) {
      const startMs = performance.now();
      try {
        const [status, health] = await Promise.all([one(), fetch(`${adminUrl}/health`)]);
        if (status === 200 && health.status === 200) served++;
        else failures.push(`status ${status}, health ${health.status}: ${await health.text()}`);
      } catch (error) {
        failures.push(String(error));
      }
      longestMs = Math.max(longestMs, performance.now() - startMs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await work;
      return { served, failures, longestMs };
    },
  };
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    try {
      if (await condition()) return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Writes as fast as the peer reads. @returns Bytes written before it closed, or stopped reading for 2 s. */
export async function pour(socket: Socket, piece: Buffer, times: number): Promise<number> {
  for (let i = 0; i < times && !socket.destroyed; i++) {
    if (socket.write(piece)) continue;
    const isOpen = await Promise.race([
      once(socket, 'drain').then(
        () => true,
        () => false,
      ),
      once(socket, 'close').then(() => false),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 2_000).unref()),
    ]);
    if (!isOpen) break;
  }
  return socket.bytesWritten - socket.writableLength;
}

/** Everything that arrives until the router closes. */
export async function answerOf(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (more) => {
    text += more;
  });
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}
