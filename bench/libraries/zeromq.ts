// Measures publishing and receiving KV events: `io/zmq` compared with zeromq, the bindings of
// libzmq. Each end is a process, whose CPU time includes all threads. The other end is always ours,
// so that only one thing differs.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PairResult, resultOf } from './pairs.ts';
import type { Side } from './zeromq-side.ts';

const loads = [
  { messagesPerSecond: 500, payloadBytes: 300, messages: 1500 },
  { messagesPerSecond: 2000, payloadBytes: 1000, messages: 6000 },
  { messagesPerSecond: 1000, payloadBytes: 40_000, messages: 3000 },
] as const;
type Load = (typeof loads)[number];

const runTimeoutMs = 60_000;
/** libzmq reports when it starts to connect, not when it is connected. */
const connectMs = 700;

/** @param folder Folder where zeromq is installed. */
export async function zeromqResults(
  folder: string,
  options: { readonly repeats: number; readonly port: number },
): Promise<readonly PairResult[]> {
  const results: PairResult[] = [];
  // One port per run, because a port that was just in use may not be free again.
  let port = options.port;
  for (const load of loads) {
    for (const role of ['publisher', 'subscriber'] as const) {
      const pairs: [number, number][] = [];
      for (let i = 0; i < options.repeats; i++) {
        const order = i % 2 === 0 ? (['ours', 'zeromq'] as const) : (['zeromq', 'ours'] as const);
        const micros = { ours: 0, zeromq: 0 };
        for (const library of order) {
          micros[library] = await measured({ role, library, folder, port: port++, load });
        }
        pairs.push([micros.ours, micros.zeromq]);
      }
      const { messagesPerSecond, payloadBytes } = load;
      const what = `${role}, ${messagesPerSecond}/s of ${payloadBytes} bytes`;
      results.push(resultOf(what, pairs));
      console.error(what);
    }
  }
  return results;
}

/** @returns Microseconds of CPU time per message at the measured end. */
async function measured(options: {
  readonly role: Side['role'];
  readonly library: Side['library'];
  readonly folder: string;
  readonly port: number;
  readonly load: Load;
}): Promise<number> {
  const { role, library, folder, port, load } = options;
  const common = { folder, endpoint: `tcp://127.0.0.1:${port}`, ...load };
  const libraryOf = (side: Side['role']) => (side === role ? library : 'ours');
  const publisher = start({ ...common, role: 'publisher', library: libraryOf('publisher') });
  await publisher.line('ready');
  const subscriber = start({ ...common, role: 'subscriber', library: libraryOf('subscriber') });
  try {
    await subscriber.line('ready');
    await sleep(connectMs);
    publisher.go();
    return Number(await (role === 'publisher' ? publisher : subscriber).line('micros'));
  } finally {
    await Promise.all([publisher.stop(), subscriber.stop()]);
  }
}

function start(side: Side) {
  const file = join(import.meta.dirname, 'zeromq-side.ts');
  const child: ChildProcess = spawn(process.execPath, [file, JSON.stringify(side)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return {
    /** Waits for the line with this field. @throws {Error} If none arrives in time. */
    line: (field: string) =>
      new Promise<unknown>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`The ${side.role} (${side.library}) prints no "${field}".`)),
          runTimeoutMs,
        );
        lines.on('line', (text) => {
          const value = (JSON.parse(text) as Record<string, unknown>)[field];
          if (value === undefined) return;
          clearTimeout(timer);
          resolve(value);
        });
      }),
    go: () => child.stdin?.write('go\n'),
    stop: async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}
