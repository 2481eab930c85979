// Processes of bench/chaos.ts: started with a wait until they are ready, killed all at once.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const readyMsMax = 120_000;
/** How long a router may take to collect its garbage. */
const probeMsMax = 30_000;
const running = new Set<ChildProcess>();

/** Arguments for Node that load the probe of `liveMegabytesOf`. */
export const memoryProbeArgs = ['--import', new URL('./memory-probe.ts', import.meta.url).href];

/**
 * Starts a program and waits until `readyUrl` returns 200.
 *
 * @param options `hasProbe`: its arguments load the memory probe. `logFile`: gets what it writes to standard error.
 */
export async function start(
  command: string,
  args: readonly string[],
  readyUrl: string,
  {
    hasProbe = false,
    logFile,
  }: { readonly hasProbe?: boolean; readonly logFile?: string | undefined } = {},
): Promise<ChildProcess> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'ignore', 'pipe', ...(hasProbe ? (['ipc'] as const) : [])],
  });
  running.add(child);
  let complaint = '';
  child.stderr?.on('data', (text) => {
    complaint = `${complaint}${text}`.slice(-2_000);
    if (logFile !== undefined) appendFileSync(logFile, text);
  });
  child.once('exit', () => running.delete(child));
  let isReady = false;
  const giveUpMs = performance.now() + readyMsMax;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${command} ended: ${complaint}`);
    }
    if (performance.now() > giveUpMs) {
      await end(child, 'SIGKILL');
      throw new Error(`${readyUrl} is not ready: ${complaint}`);
    }
    const answer = await fetch(readyUrl, { signal: AbortSignal.timeout(20_000) }).catch(() => {});
    await answer?.body?.cancel();
    if (answer?.status === 200 && isReady) return child;
    // Once more, in case another program had the port and answered.
    isReady = answer?.status === 200;
    await sleep(isReady ? 300 : 50);
  }
}

/** Ends a process and waits for its end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill(signal);
  await exit;
}

/** Kills whatever is left. */
export function killAll(): void {
  for (const child of running) {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
  }
}

export interface Resources {
  readonly rssMegabytes: number;
  /** Memory of objects and buffers that are still in use, after a collection; undefined for a peer. */
  readonly liveMegabytes?: number | undefined;
  readonly sockets: number;
}

/** Memory and open sockets of a process; Linux only. */
export async function resourcesOf(child: ChildProcess): Promise<Resources> {
  const { pid } = child;
  const liveMegabytes = child.connected ? await liveMegabytesOf(child) : undefined;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const files = readdirSync(`/proc/${pid}/fd`).map((file) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${file}`);
    } catch {
      return '';
    }
  });
  return {
    rssMegabytes: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
    sockets: files.filter((file) => file.startsWith('socket:')).length,
    liveMegabytes,
  };
}

async function liveMegabytesOf(child: ChildProcess): Promise<number> {
  const answer = once(child, 'message', { signal: AbortSignal.timeout(probeMsMax) });
  child.send('memory');
  const [{ liveBytes }] = (await answer) as [{ readonly liveBytes: number }];
  return Math.round(liveBytes / 1e5) / 10;
}
