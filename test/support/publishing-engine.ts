// An embedded engine that publishes KV events, and a subscriber that receives them.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createEngineServer, type EngineServerOptions } from '../../src/apps/engine/index.ts';
import { defaultEngineConfig } from '../../src/core/engine/index.ts';
import { decodeKvEventBatch, type KvEventBatch } from '../../src/core/protocol/index.ts';
import { defaultKvEventsConfig, type KvEventsConfig } from '../../src/core/vllm-config/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { SubscriberSocket } from '../../src/io/zmq/index.ts';
import { until } from './until.ts';

export interface ReceivedBatch extends KvEventBatch {
  /** Its number in the stream. */
  readonly sequence: number;
}

/** The fields of a response of /v1/completions that tests read. */
export interface Completion {
  readonly usage: { readonly prompt_tokens_details?: { readonly cached_tokens: number } };
  readonly choices: readonly { readonly token_ids?: readonly number[] }[];
}

/** By default it has 100 blocks of 16 tokens, and steps take no time. */
export async function publishingEngine(t: TestContext, options: Partial<EngineServerOptions>) {
  const server = await createEngineServer({
    ...{ port: 0, model: 'tiny', tokenizer: await loadTokenizer() },
    ...{ devMode: true, enablePromptTokensDetails: true },
    config: defaultEngineConfig({ maxModelLen: 160, numGpuBlocks: 100, blockSize: 16 }),
    cost: { stepSeconds: () => 0.001 },
    timeScale: Number.POSITIVE_INFINITY,
    kvEvents: {
      ...defaultKvEventsConfig,
      ...{ enable_kv_cache_events: true, publisher: 'zmq', endpoint: 'tcp://*:0' },
    },
    ...options,
  });
  const { url } = server;
  const sources = (await (await fetch(`${url}/kv_event_sources`)).json()) as { 0: KvEventsConfig };
  const received: ReceivedBatch[] = [];
  const subscriber = new SubscriberSocket({
    endpoint: sources[0].endpoint,
    onMessage: ([, sequence, payload]) =>
      received.push({
        sequence: Number(Buffer.from(sequence ?? []).readBigUInt64BE()),
        ...decodeKvEventBatch(payload ?? new Uint8Array()),
      }),
  });
  t.after(async () => {
    await subscriber.close();
    await server.close();
  });
  await until(() => subscriber.connected);
  const post = (path: string, body: object, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  return {
    url,
    /** Messages since the start, or since the test removed them. */
    received,
    async complete(body: object, headers?: Readonly<Record<string, string>>): Promise<Completion> {
      const answer = await post('/v1/completions', { ignore_eos: true, ...body }, headers);
      assert.equal(answer.status, 200);
      return (await answer.json()) as Completion;
    },
    /** @param query With its question mark. @returns Whether the engine reports success. */
    async resetPrefixCache(query = ''): Promise<boolean> {
      const answer = await post(`/reset_prefix_cache${query}`, {});
      return ((await answer.json()) as { success: boolean }).success;
    },
    metrics: async (): Promise<string> => (await fetch(`${url}/metrics`)).text(),
  };
}

/** Returns the series of a page that neither measure time nor describe the machine, in order. */
export function untimedSeries(page: string): readonly string[] {
  return page
    .split('\n')
    .filter((line) => /^vllm:/.test(line) && !/_created|_seconds|per_gpu|config_info/.test(line))
    .sort();
}
