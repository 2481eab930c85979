// The measurements: start, memory, throughput without a clock, and 200 streams with one.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { LoadOptions, LoadResult } from './load.ts';
import { call, chat, PinnedProcess } from './pinned.ts';
import type { Subject } from './subjects.ts';

const execFileDone = promisify(execFile);
const engineCpu = 0;
const clientCpu = 1;
const warmUpSeconds = 2;
/** Time for the work after a start to finish: caches are written, garbage is collected. */
const settleMs = 1500;
const pacedStreams = 200;
const pacedTokens = 5000;
/** Duration of a step, and so the gap between two tokens, of the engines that `Subject.paced` starts. */
const pacedStepSeconds = 0.02;
export const pacedJsonTokens = 20;

export interface StartSample {
  readonly readyMs: number;
  /** Time until the first chat response is complete. */
  readonly answeredMs: number;
  readonly cpuMs: number;
  readonly residentMb: number;
  readonly anonymousMb: number;
}

/** @param isFirst With empty caches, as after an installation. */
export async function measureStart(
  command: readonly string[],
  port: number,
  isFirst = false,
): Promise<StartSample> {
  const caches = isFirst ? mkdtempSync(join(tmpdir(), 'bench-engine-')) : undefined;
  const engine = new PinnedProcess(engineCpu, [...command, '--port', `${port}`], {
    ...(caches && { SPILLWAY_CACHE_DIR: caches, NODE_COMPILE_CACHE: caches }),
  });
  try {
    const readyMs = await engine.ready(port);
    const cpuMs = engine.cpuSeconds() * 1000;
    await sleep(settleMs);
    const { resident, anonymous } = engine.memoryMb();
    // The time comes from another start with an immediate request; the memory is that of an idle
    // engine.
    const asked = await askAtOnce(command, port + 1, caches);
    return {
      ...{ readyMs, answeredMs: asked, cpuMs },
      ...{ residentMb: resident, anonymousMb: anonymous },
    };
  } finally {
    await engine.end();
    if (caches) rmSync(caches, { recursive: true, force: true });
  }
}

async function askAtOnce(
  command: readonly string[],
  port: number,
  caches: string | undefined,
): Promise<number> {
  if (caches) return Number.NaN;
  const engine = new PinnedProcess(engineCpu, [...command, '--port', `${port}`]);
  try {
    await engine.ready(port);
    await chat(port, 1);
    return engine.sinceStartMs;
  } finally {
    await engine.end();
  }
}

export interface SizeSample {
  readonly count: number;
  readonly readyMs: number;
  readonly residentMb: number;
  /** Memory after each engine has responded to a chat. */
  readonly usedMb: number;
}

/** Measures `count` engines in one process. */
export async function measureSize(
  command: readonly string[],
  port: number,
  count: number,
): Promise<SizeSample> {
  const ports = Array.from({ length: count }, (_, i) => port + i);
  const flags = ['--port', `${port}`, '--count', `${count}`];
  const engine = new PinnedProcess(engineCpu, [...command, ...flags]);
  try {
    const readyMs = await engine.ready(...ports);
    await sleep(settleMs);
    const residentMb = engine.memoryMb().resident;
    for (const each of ports) await chat(each, 50);
    await sleep(settleMs);
    return { count, readyMs, residentMb, usedMb: engine.memoryMb().resident };
  } finally {
    await engine.end();
  }
}

export interface RateLoad {
  readonly name: string;
  readonly connections: number;
  readonly maxTokens: number;
  readonly isStream: boolean;
}

export const rateLoads: readonly RateLoad[] = [
  { name: 'JSON, 20 tokens', connections: 64, maxTokens: 20, isStream: false },
  { name: 'JSON, 200 tokens', connections: 64, maxTokens: 200, isStream: false },
  { name: 'stream, 20 tokens', connections: 64, maxTokens: 20, isStream: true },
  { name: 'stream, 200 tokens', connections: 64, maxTokens: 200, isStream: true },
];

export interface RateSample {
  readonly subject: string;
  readonly load: string;
  readonly requestsPerSecond: number;
  readonly tokensPerSecond: number;
  /** CPU time of the engine, user and system; independent of other programs on the machine. */
  readonly cpuMicrosecondsPerRequest: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly residentMb: number;
}

/** Runs all loads on one start of the subject. */
export async function measureRates(
  subject: Subject,
  port: number,
  seconds: number,
): Promise<RateSample[]> {
  const engine = new PinnedProcess(engineCpu, subject.command(port));
  try {
    await engine.ready(port);
    const samples: RateSample[] = [];
    for (const { name, connections, maxTokens, isStream } of rateLoads) {
      const told = await chat(port, maxTokens);
      if (told !== maxTokens) {
        throw new Error(`${subject.name} returned ${told} tokens, ${maxTokens} were requested`);
      }
      const fields = { max_tokens: maxTokens, ...(isStream && { stream: true }) };
      await load({ port, connections, seconds: warmUpSeconds, fields });
      const cpu = engine.cpuSeconds();
      const result = await load({ port, connections, seconds, fields });
      const cpuSeconds = engine.cpuSeconds() - cpu;
      const requestsPerSecond = result.requests / result.seconds;
      samples.push({
        ...{ subject: subject.name, load: name, requestsPerSecond },
        tokensPerSecond: requestsPerSecond * maxTokens,
        cpuMicrosecondsPerRequest: (cpuSeconds * 1e6) / result.requests,
        ...{ p50Ms: result.p50Ms, p99Ms: result.p99Ms, errors: result.errors },
        residentMb: engine.memoryMb().resident,
      });
    }
    return samples;
  } finally {
    await engine.end();
  }
}

export interface PacedSample extends Lag {
  readonly subject: string;
  /** Server-sent events per second; 10,000 are expected. */
  readonly tokensPerSecond: number;
  readonly cpuPercent: number;
  /** Time between two reads of one stream; 20 ms are expected. */
  readonly gapP99Ms: number;
  readonly loadAverage: number;
}

/** Measures 200 endless streams with a token every 20 ms each. */
export async function measurePaced(
  subject: Subject,
  port: number,
  seconds: number,
): Promise<PacedSample> {
  const engine = new PinnedProcess(engineCpu, subject.paced(port));
  try {
    await engine.ready(port);
    const cpu = engine.cpuSeconds();
    const running = load({
      ...{ port, connections: pacedStreams, seconds },
      fields: { max_tokens: pacedTokens, stream: true },
    });
    const lag = await watchLag(port, seconds);
    const result = await running;
    return {
      subject: subject.name,
      tokensPerSecond: result.events / result.seconds,
      cpuPercent: ((engine.cpuSeconds() - cpu) / result.seconds) * 100,
      gapP99Ms: result.gapP99Ms,
      ...lag,
      loadAverage: loadavg()[0] ?? 0,
    };
  } finally {
    await engine.end();
  }
}

export interface PacedJsonSample extends Lag {
  readonly subject: string;
  /** Requests in flight. */
  readonly connections: number;
  readonly requestsPerSecond: number;
  /** Rate if every response took exactly its steps. */
  readonly dueRequestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuPercent: number;
  readonly errors: number;
}

export const pacedJsonConnections: readonly number[] = [64, 256, 512, 1024];

/** Measures JSON responses of 20 tokens at one token every 20 ms, with increasing concurrency. */
export async function measurePacedJson(
  subject: Subject,
  port: number,
  seconds: number,
): Promise<PacedJsonSample[]> {
  const engine = new PinnedProcess(engineCpu, subject.paced(port));
  try {
    await engine.ready(port);
    const samples: PacedJsonSample[] = [];
    for (const connections of pacedJsonConnections) {
      const fields = { max_tokens: pacedJsonTokens };
      await load({ port, connections, seconds: warmUpSeconds, fields });
      const cpu = engine.cpuSeconds();
      const running = load({ port, connections, seconds, fields });
      const lag = await watchLag(port, seconds);
      const { requests, seconds: taken, p50Ms, p99Ms, errors } = await running;
      samples.push({
        ...{ subject: subject.name, connections, requestsPerSecond: requests / taken },
        dueRequestsPerSecond: connections / (pacedJsonTokens * pacedStepSeconds),
        cpuPercent: ((engine.cpuSeconds() - cpu) / taken) * 100,
        ...{ p50Ms, p99Ms, errors, ...lag },
      });
    }
    return samples;
  } finally {
    await engine.end();
  }
}

interface Lag {
  /** From its own gauge, mean and maximum of samples every half second; NaN if it has none. */
  readonly lagMeanMs: number;
  readonly lagMaxMs: number;
}

async function watchLag(port: number, seconds: number): Promise<Lag> {
  const lags: number[] = [];
  for (let looks = 0; looks < seconds * 2 - 2; looks++) {
    await sleep(500);
    const { text } = await call({ port, path: '/metrics' });
    lags.push(Number(/^spillway:engine_lag_seconds (\S+)/m.exec(text)?.[1]) * 1000);
  }
  const lagMeanMs = lags.reduce((sum, lag) => sum + lag, 0) / lags.length;
  return { lagMeanMs, lagMaxMs: Math.max(...lags) };
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const script = join(import.meta.dirname, 'load.ts');
  const command = ['-c', `${clientCpu}`, process.execPath, script, JSON.stringify(options)];
  const { stdout } = await execFileDone('taskset', command, {
    timeout: (options.seconds + 30) * 1000,
    killSignal: 'SIGKILL',
  });
  return JSON.parse(stdout);
}
