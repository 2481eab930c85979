// Runs cases over all targets and reports what went wrong: errors that are no refusal, pauses, memory.
import { Worker } from 'node:worker_threads';
import { randomInteger, seededRandom } from '../../../src/core/base/index.ts';
import { mutated } from './mutator.ts';
import type { Target } from './target.ts';
import { targets } from './targets.ts';

/** Longest time that one case may take: what a router may be silent for all others. */
export const pauseMsMax = 50;
/** So often a slow case is repeated: a collection of garbage must not fail it. */
const repeatsMax = 4;
/** Time for the result of a parser that waits for the event loop. */
const settleMsMax = 3_000;
/** Cases between two looks at memory. */
const memoryEvery = 100_000;
/** Findings beyond these are counted only. */
const findingsMax = 100;

export interface Finding {
  readonly target: string;
  readonly number: number;
  readonly what: string;
  readonly bytes: Buffer;
}

export interface TargetCounts {
  cases: number;
  accepted: number;
  refused: number;
  failed: number;
  bytes: number;
  ms: number;
  /** Longest case after repetition. */
  longestMs: number;
}

export interface CampaignResult {
  readonly counts: ReadonlyMap<string, TargetCounts>;
  readonly findings: readonly Finding[];
  /** Heap after garbage collection, in MiB, every 100,000 cases and at the end. */
  readonly heapMiB: readonly number[];
  readonly cases: number;
  readonly seconds: number;
}

export interface CampaignOptions {
  readonly seed: number;
  readonly cases: number;
  /** @default none */
  readonly secondsMax?: number;
  /** Runs only these. @default all */
  readonly only?: readonly string[] | undefined;
  readonly onProgress?: (cases: number, result: Omit<CampaignResult, 'seconds'>) => void;
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { seed, cases, secondsMax = Number.POSITIVE_INFINITY, only, onProgress } = options;
  const chosen = targets.filter(({ name }) => only === undefined || only.includes(name));
  const choose = chooser(chosen, seed);
  const counts = new Map(chosen.map(({ name }) => [name, emptyCounts()] as const));
  const findings: Finding[] = [];
  const heapMiB: number[] = [];
  // The stack of a refusal costs more than many a parser.
  Error.stackTraceLimit = 3;
  const watched = new Int32Array(new SharedArrayBuffer(4));
  const watchdog = new Worker(watchdogCode, { eval: true, workerData: { watched, seed } });
  watchdog.unref();
  const startMs = performance.now();
  let done = 0;
  for (; done < cases && performance.now() - startMs < secondsMax * 1000; done++) {
    const target = choose(done);
    watched[0] = done;
    const bytes = mutated(target, seed, done);
    const count = counts.get(target.name) as TargetCounts;
    let what = await runCase(target, bytes, count);
    for (let i = 0; what?.startsWith('pause') && i < repeatsMax; i++) {
      globalThis.gc?.();
      // On a busy machine, only the time on the processor is the parser's.
      const startCpuMs = cpuMs();
      what = await runCase(target, bytes, emptyCounts());
      if (what?.startsWith('pause') && cpuMs() - startCpuMs <= pauseMsMax) what = undefined;
    }
    if (what !== undefined) {
      count.failed++;
      const isNew = !findings.some((one) => one.target === target.name && one.what === what);
      if (isNew && findings.length < findingsMax) {
        findings.push({ target: target.name, number: done, what, bytes });
      }
    }
    if (done % memoryEvery !== memoryEvery - 1) continue;
    heapMiB.push(heapMiBNow());
    onProgress?.(done + 1, { counts, findings, heapMiB, cases: done + 1 });
  }
  await watchdog.terminate();
  if (done % memoryEvery !== 0) heapMiB.push(heapMiBNow());
  return { counts, findings, heapMiB, cases: done, seconds: (performance.now() - startMs) / 1000 };
}

/** Ends the process at a case that does not end: that takes 10 s of processor time. Names the case. */
const watchdogCode = `
  const { workerData: { watched, seed } } = require('node:worker_threads');
  let last = -1;
  let since = 0;
  setInterval(() => {
    const cpu = process.cpuUsage().user / 1e6;
    if (watched[0] !== last) [last, since] = [watched[0], cpu];
    if (cpu - since < 10) return;
    require('node:fs').writeSync(2, 'seed ' + seed + ', case ' + last + ' does not end\\n');
    process.kill(process.pid, 'SIGKILL');
  }, 1000);
`;

/** @returns What went wrong; undefined for an accepted or refused case. */
async function runCase(
  target: Target,
  bytes: Buffer,
  count: TargetCounts,
): Promise<string | undefined> {
  const startMs = performance.now();
  let what: string | undefined;
  let isRefused = false;
  let longestMs: number | undefined;
  try {
    const result = target.run(bytes);
    if (typeof result === 'number') longestMs = result;
    else if (result !== undefined) longestMs = await settled(result);
  } catch (error) {
    isRefused = true;
    if (!target.isRefusal(error)) what = textOf(error);
  }
  const ms = performance.now() - startMs;
  count.cases++;
  count.bytes += bytes.length;
  count.ms += ms;
  if (isRefused) count.refused++;
  else count.accepted++;
  const pauseMs = longestMs ?? ms;
  if (what === undefined && pauseMs > pauseMsMax) return `pause over ${pauseMsMax} ms`;
  count.longestMs = Math.max(count.longestMs, pauseMs);
  return what;
}

function heapMiBNow(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1_048_576;
}

function cpuMs(): number {
  return process.threadCpuUsage().user / 1000;
}

/** Waits for a result, but not for ever. */
async function settled(result: Promise<void> | Promise<number>): Promise<number | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the result never came')), settleMsMax);
  });
  try {
    const value = await Promise.race([result, deadline]);
    return typeof value === 'number' ? value : undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** The error with the place in our code that threw it, so that equal findings are found once. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${String(error)}`;
  const place = /src\/[^)]*/.exec(error.stack ?? '')?.[0] ?? 'outside src';
  return `${error.name}: ${error.message.slice(0, 80)} at ${place}`;
}

/** Picks the target of a case by weight; the same seed gives the same targets. */
function chooser(from: readonly Target[], seed: number): (number: number) => Target {
  const total = from.reduce((sum, { weight }) => sum + weight, 0);
  const slots = from.flatMap((target) =>
    Array.from<unknown, Target>(
      { length: Math.max(1, Math.round((4_000 * target.weight) / total)) },
      () => target,
    ),
  );
  const random = seededRandom(seed);
  for (let i = slots.length - 1; i > 0; i--) {
    const j = randomInteger(random, i + 1);
    [slots[i], slots[j]] = [slots[j] as Target, slots[i] as Target];
  }
  return (number) => slots[number % slots.length] as Target;
}

/** The target and bytes of one case, to replay it. */
export function caseOf(
  seed: number,
  number: number,
): { readonly target: Target; readonly bytes: Buffer } {
  const target = chooser(targets, seed)(number);
  return { target, bytes: mutated(target, seed, number) };
}

function emptyCounts(): TargetCounts {
  return { cases: 0, accepted: 0, refused: 0, failed: 0, bytes: 0, ms: 0, longestMs: 0 };
}
