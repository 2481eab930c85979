// Runs the recorded requests of real vLLM against embedded engines with the recorded flags.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  createEngineServer,
  type EngineServerOptions,
  readTokenizerInfo,
  resolveEngine,
} from '../../src/apps/engine/index.ts';
import { defaultKvEventsConfig } from '../../src/core/vllm-config/index.ts';
import { writeTinyModel } from '../lanes/vllm/tiny-model.ts';
import { compareAnswers } from './wire-compare.ts';
import { record, type WireAnswer, type WireCase } from './wire-record.ts';

/** The servers of the recordings: their flags, and the files with their responses. */
export const wireServers = {
  main: {
    recording: 'real-0.32.0',
    flags: {
      enablePromptTokensDetails: true,
      enableServerLoadTracking: true,
      enableAutoToolChoice: true,
      toolCallParser: 'hermes',
      grammarBackend: 'xgrammar',
      enableScaleOut: true,
    },
  },
  bare: { recording: 'real-0.32.0-bare', flags: {} },
  auth: {
    recording: 'real-0.32.0-auth',
    flags: {
      apiKey: 'key-1',
      enableRequestIdHeaders: true,
      enableForceIncludeUsage: true,
      enablePerRequestMetrics: true,
      reasoningParser: 'qwen3',
      servedModelNames: ['tiny', 'tiny-alias'],
    },
  },
  store: {
    recording: 'probes-0.32.0',
    flags: {
      enablePromptTokensDetails: true,
      enableServerLoadTracking: true,
      enableAutoToolChoice: true,
      toolCallParser: 'hermes',
      responsesStore: true,
      // Without delays a response would be complete before it is cancelled.
      timeScale: 1,
    },
  },
} as const satisfies Record<string, { recording: string; flags: Partial<EngineServerOptions> }>;

const noise = 'the pieces depend on the text, which random weights generated';

/** Cases that may differ, each with its reason. */
export const knownDifferences: Readonly<Record<string, string>> = {
  'completions/logprobs-0': noise,
  'completions/logprobs-stream': noise,
  'completions/echo-logprobs': noise,
  'tools/named-stream': noise,
  'tools/named-return-token-ids-stream': noise,
};

export interface WireResult {
  readonly one: WireCase;
  readonly real: WireAnswer;
  readonly own: WireAnswer;
  /** Undefined if the two agree. */
  readonly difference: string | undefined;
}

/**
 * Sends all cases of one server in order; cases that were recorded only for reading have no result.
 *
 * @param files The cases, and the recording of their responses.
 */
export async function runWireCases(
  server: keyof typeof wireServers,
  files: { readonly cases: string; readonly recording: string } = {
    cases: 'cases',
    recording: wireServers[server].recording,
  },
): Promise<WireResult[]> {
  const { cases } = JSON.parse(read(`${files.cases}.json`)) as {
    readonly cases: readonly WireCase[];
  };
  const answers = read(`${files.recording}.jsonl`).trim().split('\n');
  const real = new Map(
    answers.map((line) => JSON.parse(line) as WireAnswer).map((answer) => [answer.id, answer]),
  );
  const folder = mkdtempSync(join(tmpdir(), 'tiny-'));
  writeTinyModel(folder);
  // The recorded model's own, which is Qwen3's.
  const sampling = { temperature: 0.6, top_k: 20, top_p: 0.95, eos_token_id: [151_645, 151_643] };
  writeFileSync(join(folder, 'generation_config.json'), JSON.stringify(sampling));
  const engine = await createEngineServer({
    ...(await resolveEngine({ model: folder, config: { maxModelLen: 8192, blockSize: 128 } })),
    port: 0,
    dummyWeights: true,
    timeScale: Number.POSITIVE_INFINITY,
    servedModelNames: ['tiny'],
    kvEvents: {
      ...defaultKvEventsConfig,
      enable_kv_cache_events: true,
      publisher: 'zmq',
      endpoint: 'tcp://127.0.0.1:0',
      replay_endpoint: 'tcp://127.0.0.1:0',
    },
    ...wireServers[server].flags,
    ...(server === 'auth' && { tokenizerInfo: await readTokenizerInfo(folder, folder) }),
  });
  const results: WireResult[] = [];
  try {
    for (const one of cases.filter((each) => (each.server ?? 'main') === server)) {
      const own = await record(at(one, new URL(engine.url).host), engine.url);
      const expected = real.get(one.id);
      if (one.reference || !expected) continue;
      results.push({ one, real: expected, own, difference: compareAnswers(expected, own, one) });
    }
  } finally {
    await engine.close();
    rmSync(folder, { recursive: true });
  }
  return results;
}

/** Returns the case with the address of this server in it. */
function at(one: WireCase, host: string): WireCase {
  return { ...one, path: one.path.replaceAll('{HOST}', host) };
}

function read(name: string): string {
  const file = new URL(`../conformance/vllm-wire/${name}.gz`, import.meta.url);
  return gunzipSync(readFileSync(file)).toString();
}
