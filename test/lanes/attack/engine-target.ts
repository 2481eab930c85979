// An embedded engine in a process of its own, and what its clients notice of an attack.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { HostileRequest } from './hostile-requests.ts';
import { type Measured, until } from './target.ts';

const root = join(import.meta.dirname, '..', '..', '..');

/** Longest time for a response to one hostile request. */
const responseMsMax = 60_000;

/** The response to a hostile request; status 0 if the client has disconnected, or the engine has. */
export interface Answer {
  readonly status: number;
  /** The first characters. */
  readonly text: string;
}

export interface EngineTarget {
  readonly isAlive: () => boolean;
  /** All that the engine has printed. */
  readonly log: () => string;
  measure(): Promise<Measured>;
  /** @param patienceMs The client disconnects after this time. */
  send(hostile: HostileRequest, patienceMs?: number): Promise<Answer>;
  /** Whether another client is served. */
  isServing(): Promise<boolean>;
}

export async function startEngineTarget(
  t: TestContext,
  flags: readonly string[] = [],
): Promise<EngineTarget> {
  const child = spawn(
    process.execPath,
    [
      ...['--import', join(import.meta.dirname, 'meter.mjs'), join(root, 'src/cli/main.ts')],
      ...['engine', '--port', '0', '--served-model-name', 'm', '--time-scale', 'inf', ...flags],
    ],
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('latin1').on('data', (text) => {
      log += text;
    });
  }
  t.after(() => void child.kill('SIGKILL'));
  const isAlive = () => child.exitCode === null && child.signalCode === null;
  await until(() => {
    if (!isAlive()) throw new Error(`the engine did not start: ${log}`);
    return /http:\/\/\S+/.test(log);
  });
  const [url = ''] = /http:\/\/[^\s/]+/.exec(log) ?? [];
  await until(async () => (await fetch(`${url}/health`)).status === 200);
  const send = ({ path, body }: HostileRequest, patienceMs = responseMsMax) =>
    new Promise<Answer>((resolve) => {
      const bytes = Buffer.from(body);
      // As clients do: a server that refuses a body before its end would reset the connection of one that does not keep it.
      const headers = {
        ...{ 'content-type': 'application/json', 'content-length': bytes.length },
        connection: 'keep-alive',
      };
      const signal = AbortSignal.timeout(patienceMs);
      const broken = () => resolve({ status: 0, text: '' });
      request(`${url}${path}`, { method: 'POST', agent: false, headers, signal }, (response) => {
        let text = '';
        const { socket } = response;
        response.on('error', broken).on('data', (piece: Buffer) => {
          if (text.length < 500) text += piece.toString('latin1', 0, 500);
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, text });
          socket.destroy();
        });
      })
        .on('error', broken)
        .end(bytes);
    });
  return {
    ...{ isAlive, send, log: () => log },
    measure: async () => {
      child.send('report');
      return (await once(child, 'message'))[0] as Measured;
    },
    isServing: async () => (await fetch(`${url}/v1/models`)).status === 200,
  };
}
