// vLLM's `--kv-events-config`: whether and where an engine publishes its KV events.
import { InputError } from '../base/index.ts';

/** Settings under vLLM's own names, as /kv_event_sources returns them. */
export interface KvEventsConfig {
  readonly enable_kv_cache_events: boolean;
  /** `null` publishes nothing; an enabled engine without a choice uses `zmq`. */
  readonly publisher: 'null' | 'zmq';
  /** Bound if it contains `*` or `::`, is ipc, or is loopback (which vLLM does not bind); otherwise connected to. */
  readonly endpoint: string;
  /** Bound for requests of missed batches. Null: no replay. */
  readonly replay_endpoint: string | null;
  /** Number of batches kept for replay. */
  readonly buffer_steps: number;
  /** Maximum number of messages queued per subscriber, which loses further ones; 0 means no limit. */
  readonly hwm: number;
  /** Size of vLLM's queue between scheduler and publisher; without effect here, in a single thread. */
  readonly max_queue_size: number;
  readonly topic: string;
}

/** vLLM 0.32's defaults (vllm/config/kv_events.py). */
export const defaultKvEventsConfig: KvEventsConfig = {
  enable_kv_cache_events: false,
  publisher: 'null',
  endpoint: 'tcp://*:5557',
  replay_endpoint: null,
  buffer_steps: 10_000,
  hwm: 100_000,
  max_queue_size: 100_000,
  topic: '',
};

/** The valid values of each key; also the list of keys. */
const valueChecks: Readonly<
  Record<keyof KvEventsConfig, readonly [string, (v: unknown) => boolean]>
> = {
  enable_kv_cache_events: ['true or false', (value) => typeof value === 'boolean'],
  publisher: ['"null" or "zmq"', (value) => value === 'null' || value === 'zmq' || value === null],
  endpoint: ['a string', (value) => typeof value === 'string'],
  replay_endpoint: ['a string or null', (value) => value === null || typeof value === 'string'],
  buffer_steps: ['a positive integer', (value) => isCount(value) && value > 0],
  hwm: ['a non-negative integer', isCount],
  max_queue_size: ['a non-negative integer', isCount],
  topic: ['a string', (value) => typeof value === 'string'],
};

/**
 * @param text The flag's value: a JSON object with some of the keys.
 * @throws {InputError} If it is not such an object.
 * @example parseKvEventsConfig('{"enable_kv_cache_events": true}').publisher; // 'zmq'
 */
export function parseKvEventsConfig(text: string): KvEventsConfig {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`--kv-events-config is not JSON: ${text}`, { cause });
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InputError(
      '--kv-events-config must be a JSON object, e.g. {"enable_kv_cache_events": true}.',
    );
  }
  for (const [key, value] of Object.entries(given)) {
    const check = Object.hasOwn(valueChecks, key)
      ? valueChecks[key as keyof KvEventsConfig]
      : undefined;
    if (check === undefined) {
      throw new InputError(
        `--kv-events-config has no key "${key}"; allowed are ${Object.keys(valueChecks).join(', ')}.`,
      );
    }
    if (!check[1](value)) {
      throw new InputError(`--kv-events-config: "${key}" must be ${check[0]}.`);
    }
  }
  const config: KvEventsConfig = { ...defaultKvEventsConfig, ...given };
  const chosen = (given as { publisher?: unknown }).publisher;
  const publisher = chosen ?? (config.enable_kv_cache_events ? 'zmq' : 'null');
  return { ...config, publisher: publisher === 'zmq' ? 'zmq' : 'null' };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
