// The addresses of an engine's KV events: its response to GET /kv_event_sources.

/** The event stream of one data-parallel rank. */
export interface KvEventEndpoints {
  readonly rank: number;
  /** Address for a SUB socket. */
  readonly endpoint: string;
  /** Address for a DEALER socket; undefined if the engine keeps no batches for replay. */
  readonly replayEndpoint: string | undefined;
  readonly topic: string;
}

/**
 * Reads an engine's response. Engines that listen on all interfaces report `tcp://*:5557`; the host of the
 * request replaces the star.
 *
 * @param answer Parsed JSON of any shape.
 * @param host Host of the request, as in its URL.
 * @returns Ranks that publish over ZeroMQ; empty if there are none, or the response has another shape.
 * @example kvEventEndpoints({ '0': { endpoint: 'tcp://*:5557', … } }, '10.0.0.7'); // tcp://10.0.0.7:5557
 */
export function kvEventEndpoints(answer: unknown, host: string): KvEventEndpoints[] {
  if (!isRecord(answer)) return [];
  const found: KvEventEndpoints[] = [];
  for (const [rank, config] of Object.entries(answer)) {
    if (!/^\d{1,6}$/.test(rank) || !isRecord(config)) continue;
    const { enable_kv_cache_events: enabled, publisher, endpoint, topic } = config;
    const replay = config['replay_endpoint'];
    if (enabled === false || publisher === 'null' || typeof endpoint !== 'string') continue;
    found.push({
      rank: Number(rank),
      endpoint: withHost(endpoint, host),
      replayEndpoint: typeof replay === 'string' ? withHost(replay, host) : undefined,
      topic: typeof topic === 'string' ? topic : '',
    });
  }
  return found;
}

function withHost(endpoint: string, host: string): string {
  return endpoint.replace(/^tcp:\/\/(\*|0\.0\.0\.0|\[::\]):/, `tcp://${host}:`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
