// Compares responses of real vLLM and the embedded engine to random requests, valid and invalid.
//
//   scripts/lane.sh fuzz                            1,000 requests under a new seed
//   FUZZ_SEED=7 FUZZ_RUNS=5000 scripts/lane.sh fuzz
//   FUZZ_SEED=7 FUZZ_ONLY=123 …                     only request 123 of that seed, with both responses
//   FUZZ_ROUTES=chat,tokenize …                     only these routes
//   FUZZ_REAL_URL=http://127.0.0.1:8000 …           a real vLLM that is already running
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { record, type WireAnswer, type WireCase } from '../../support/wire-record.ts';
import { difference } from './compare.ts';
import { type FuzzRequest, fuzzRequest, routeNames } from './requests/index.ts';
import { startServers } from './servers.ts';

const python = process.env['VLLM_PYTHON'];
assert.ok(python, 'VLLM_PYTHON names the Python that has vLLM; run scripts/lane.sh fuzz');

const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 1e6));
const runs = Number(process.env['FUZZ_RUNS'] ?? 1000);
const only = process.env['FUZZ_ONLY'];
const routes = process.env['FUZZ_ROUTES']?.split(',') ?? routeNames;
/** Enough to keep the real vLLM busy on two cores. */
const inFlight = 6;
const shownMax = Number(process.env['FUZZ_SHOW'] ?? 20);
/** The first requests of a kind compile kernels: on two busy cores, real vLLM has been silent for over 30 s. */
const answerTimeoutMs = 120_000;

interface Result {
  readonly index: number;
  readonly route: string;
  readonly request: FuzzRequest;
  readonly difference: string | undefined;
}

test(`seed ${seed}: the embedded engine responds like real vLLM`, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-fuzz-'));
  const servers = await startServers(directory, python);
  t.after(async () => {
    await servers.stop();
    rmSync(directory, { recursive: true, force: true });
  });
  const indexes = only ? [Number(only)] : Array.from({ length: runs }, (_, i) => i);
  const results: Result[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let i = next++; i < indexes.length; i = next++) {
        results.push(await tryStreamsTwice(indexes[i] as number, servers));
      }
    }),
  );
  process.stdout.write(`${report(results)}\n`);
  const differing = results.filter((result) => result.difference !== undefined);
  assert.equal(differing.length, 0, `${differing.length} of ${results.length} requests differ`);
});

/**
 * A stream that differs is requested once more, and counts only if it differs again: real vLLM
 * merges tokens that it sends late into one chunk (`RequestOutputCollector` in
 * vllm/v1/engine/output_processor.py), which omits an event. Differences that occurred only once
 * are printed.
 */
async function tryStreamsTwice(
  index: number,
  servers: { real: string; own: string },
): Promise<Result> {
  const first = await tryOne(index, servers);
  const isStream = (first.request.body as { stream?: unknown } | undefined)?.stream === true;
  if (first.difference === undefined || !isStream) return first;
  const second = await tryOne(index, servers);
  if (second.difference === undefined) {
    process.stdout.write(`differed once only: ${first.route} ${index}: ${first.difference}\n`);
  }
  return second;
}

async function tryOne(index: number, servers: { real: string; own: string }): Promise<Result> {
  // Far apart, so that neighbouring seeds share no requests.
  const { route, request } = fuzzRequest(Math.imul(seed, 1_000_003) + index, routes);
  const one = { id: `${route}/${index}`, ...request };
  const [real, own] = await Promise.all([
    answerOf(one, servers.real, 'real vLLM'),
    answerOf(one, servers.own, 'the embedded engine'),
  ]);
  if (typeof real === 'string' || typeof own === 'string') {
    return { index, route, request, difference: [real, own].filter(isText).join(', ') };
  }
  if (only) process.stdout.write(`${JSON.stringify({ real, own }, null, 1)}\n`);
  return { index, route, request, difference: difference(request, real, own) };
}

/** Describes a failure of the connection, if there was one. */
async function answerOf(one: WireCase, url: string, name: string): Promise<WireAnswer | string> {
  try {
    return await record(one, url, answerTimeoutMs);
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function report(results: readonly Result[]): string {
  const differing = results
    .filter((result) => result.difference !== undefined)
    .toSorted((a, b) => a.index - b.index);
  const counts = routes.map((route) => {
    const own = results.filter((result) => result.route === route);
    const bad = own.filter((result) => result.difference !== undefined).length;
    return `${route} ${own.length}${bad > 0 ? ` (${bad} differ)` : ''}`;
  });
  const shown = differing
    .slice(0, shownMax)
    .map(
      ({ index, route, request, difference: words }) =>
        `- ${route}, FUZZ_SEED=${seed} FUZZ_ONLY=${index}: ${words}\n  ${brief(request)}`,
    );
  return [`seed ${seed}, ${results.length} requests: ${counts.join(', ')}`, ...shown].join('\n');
}

function brief(request: FuzzRequest): string {
  const text = JSON.stringify(request);
  return text.length > 700 ? `${text.slice(0, 700)}…` : text;
}
