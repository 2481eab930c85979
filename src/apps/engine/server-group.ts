// Several engines in one process, each with its own port, state, random faults, metrics and KV events, and a
// shared tokenizer.
import { InputError } from '../../core/base/index.ts';
import type { KvEventsConfig } from '../../core/vllm-config/index.ts';
import { offsetZmqEndpoint } from '../../io/zmq/index.ts';
import type { EngineServerOptions } from './options.ts';
import { createEngineServer, type EngineServer } from './server.ts';

const portMax = 65_535;

/**
 * Starts `count` engines that differ by their index: it is added to the port, to the ports of KV
 * events, and to the seed of the faults. Free ports stay free ports. Like replicas of a model, they give the same
 * text for the same prompt.
 *
 * @param options The options of the first engine. Large parts (the tokenizer) are shared.
 * @throws {InputError} If one engine cannot start; the others are closed.
 */
export async function createEngineServers(
  options: EngineServerOptions,
  count: number,
): Promise<readonly EngineServer[]> {
  if (count > 1) checkPorts(options, count);
  const started = await Promise.allSettled(
    Array.from({ length: count }, (_, index) => createEngineServer(engineAt(options, index))),
  );
  const failed = started.find((result) => result.status === 'rejected');
  const servers = started.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
  if (!failed) return servers;
  await Promise.all(servers.map((server) => server.close()));
  throw failed.reason;
}

function engineAt(options: EngineServerOptions, index: number): EngineServerOptions {
  if (index === 0) return options;
  const { port = 8000, seed = 0, faultSeed = seed, kvEvents, log } = options;
  return {
    ...options,
    port: port === 0 ? 0 : port + index,
    faultSeed: faultSeed + index,
    ...(kvEvents && { kvEvents: kvEventsAt(kvEvents, index) }),
    ...(log && { log: (line) => log(`Engine ${index + 1}: ${line}`) }),
  };
}

function kvEventsAt(config: KvEventsConfig, index: number): KvEventsConfig {
  const { endpoint, replay_endpoint: replay } = config;
  return {
    ...config,
    endpoint: offsetZmqEndpoint(endpoint, index),
    replay_endpoint: replay === null ? null : offsetZmqEndpoint(replay, index),
  };
}

/** Reports port ranges that overlap or exceed the highest port before anything listens. */
function checkPorts({ port = 8000, kvEvents }: EngineServerOptions, count: number): void {
  const publishes = kvEvents?.enable_kv_cache_events && kvEvents.publisher === 'zmq';
  const ranges = [
    { name: '--port', first: port },
    ...(publishes ? [{ name: 'endpoint', first: portOf(kvEvents.endpoint) }] : []),
    ...(publishes && kvEvents.replay_endpoint !== null
      ? [{ name: 'replay_endpoint', first: portOf(kvEvents.replay_endpoint) }]
      : []),
  ].filter(({ first }) => first !== 0);
  for (const [i, { name, first }] of ranges.entries()) {
    const last = first + count - 1;
    if (last > portMax) {
      throw new InputError(
        `--count ${count} needs the ports from ${name} ${first} to ${last}, but the highest port is ${portMax}: choose a lower ${name}.`,
      );
    }
    const other = ranges.slice(0, i).find((range) => Math.abs(range.first - first) < count);
    if (other) {
      throw new InputError(
        `--count ${count} needs ${count} ports from ${other.name} ${other.first} and ${count} from ${name} ${first}, which overlap: choose ports at least ${count} apart, or port 0.`,
      );
    }
  }
}

function portOf(endpoint: string): number {
  if (endpoint.startsWith('ipc:')) {
    throw new InputError(
      `With --count each engine needs its own KV-event endpoint, but ${endpoint} is a single path: use tcp://HOST:PORT.`,
    );
  }
  return Number(/:(\d+)$/.exec(endpoint)?.[1] ?? 0);
}
