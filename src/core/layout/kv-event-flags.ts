// Builds `--kv-events-config` for an engine that shares a machine with others: the addresses of a
// pod, where each engine has its own network, become different ports.

import type { ModelEntry } from '../values/index.ts';
import type { KvEventsConfig } from '../vllm-config/index.ts';
import { currentTransfers } from './former-flags.ts';
import { readWords } from './read-settings.ts';

/** ZeroMQ endpoints where one engine publishes and replays KV events. */
export interface KvEventAddresses {
  readonly endpoint: string;
  readonly replayEndpoint: string;
}

/** Returns whether `spillway up` chooses where an engine publishes its KV events. */
export function publishesWhereChosen(entry: ModelEntry): boolean {
  return entry.vllmConfig?.kvEvents === true || configOfPod(entry) !== undefined;
}

/** Returns the flag with these addresses for `kvEvents: true`; it comes before extraArgs. */
export function kvEventsWords({ vllmConfig }: ModelEntry, at: KvEventAddresses): string[] {
  if (!vllmConfig?.kvEvents) return [];
  const config = { enable_kv_cache_events: true, publisher: 'zmq' };
  return ['--kv-events-config', addressed(config, at, { topic: 'kv-events' })];
}

/** Returns the same for a flag in extraArgs. It comes after them, and the last occurrence counts. */
export function movedKvEventsWords(entry: ModelEntry, at: KvEventAddresses): string[] {
  const config = configOfPod(entry);
  if (config === undefined) return [];
  const { endpoint: _, replay_endpoint: __, ...rest } = config;
  return ['--kv-events-config', addressed(rest, at)];
}

/**
 * Returns events of extraArgs that are published on a port of all interfaces, as in a pod.
 * Addresses with an interface stay unchanged, as do fields that are set one by one.
 */
function configOfPod({ name, vllmConfig }: ModelEntry): KvEventsConfig | undefined {
  const words = currentTransfers(vllmConfig?.extraArgs ?? []);
  if (words.some((word) => /^--kv[-_]events[-_]config\./.test(word))) return undefined;
  const config = readWords(words, `extraArgs of ${name}: `).settings.kvEventsConfig;
  const isOfPod =
    config?.enable_kv_cache_events === true &&
    config.publisher === 'zmq' &&
    config.endpoint.startsWith('tcp://*:');
  return isOfPod ? config : undefined;
}

function addressed(
  before: object,
  { endpoint, replayEndpoint }: KvEventAddresses,
  after: object = {},
): string {
  return JSON.stringify({ ...before, endpoint, replay_endpoint: replayEndpoint, ...after });
}
