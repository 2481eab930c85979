// The faults that can be injected: one typed object, for the flag and for the control route.
import { InputError } from '../../../core/base/index.ts';

/** Each fault is off by default. Probabilities are per request (or per batch of KV events). */
export interface FaultOptions {
  /** The port is closed for this time, then reopens. */
  readonly refuse?: { readonly seconds: number };
  /** Resets the connection instead of responding. */
  readonly reset?: { readonly probability: number };
  /** Responds with an error object of this status. */
  readonly error?: { readonly probability: number; readonly status: number };
  /** Responds with 429 and Retry-After. */
  readonly tooManyRequests?: {
    readonly probability: number;
    readonly retryAfterSeconds: number;
  };
  /** No byte of the response is sent; after `seconds` the request continues. */
  readonly hangBeforeFirstByte?: { readonly probability: number; readonly seconds: number };
  /** The stream stops after `events` events; after `seconds` it continues. */
  readonly hangInStream?: {
    readonly probability: number;
    readonly events: number;
    readonly seconds: number;
  };
  /** Delay of every event of a stream after the previous one. */
  readonly slowStream?: { readonly probability: number; readonly delayMs: number };
  /** The connection is closed after `events` events, without the end of the stream. */
  readonly cutStream?: { readonly probability: number; readonly events: number };
  /** The stream ends after `events` events with an error event, as when vLLM's engine core dies. */
  readonly errorInStream?: { readonly probability: number; readonly events: number };
  /** The engine dies as if killed by SIGKILL after this many requests have arrived. */
  readonly crash?: { readonly requests: number };
  /** No request makes progress for this time; health checks still succeed. */
  readonly wedge?: { readonly seconds: number };
  /** Steps take `factor` times as long for this time. */
  readonly slowEngine?: { readonly factor: number; readonly seconds: number };
  /** Delay before the port opens. */
  readonly slowStart?: { readonly seconds: number };
  /** The /metrics page is rendered again only after this time, so it can be this old. */
  readonly staleMetrics?: { readonly seconds: number };
  /** Drops batches of KV events before sending; their sequence numbers are used up. */
  readonly loseKvEvents?: { readonly probability: number };
  /** Sends batches of KV events twice. */
  readonly duplicateKvEvents?: { readonly probability: number };
}

/** Each kind with the defaults of its settings. */
const defaults = {
  refuse: { seconds: 5 },
  reset: { probability: 1 },
  error: { probability: 1, status: 500 },
  tooManyRequests: { probability: 1, retryAfterSeconds: 1 },
  hangBeforeFirstByte: { probability: 1, seconds: 3600 },
  hangInStream: { probability: 1, events: 3, seconds: 3600 },
  slowStream: { probability: 1, delayMs: 500 },
  cutStream: { probability: 1, events: 3 },
  errorInStream: { probability: 1, events: 3 },
  crash: { requests: 1 },
  wedge: { seconds: 3600 },
  slowEngine: { factor: 10, seconds: 3600 },
  slowStart: { seconds: 10 },
  staleMetrics: { seconds: 60 },
  loseKvEvents: { probability: 0.1 },
  duplicateKvEvents: { probability: 0.1 },
} as const satisfies { [K in keyof Required<FaultOptions>]: Required<FaultOptions>[K] };

const kinds = Object.keys(defaults) as (keyof FaultOptions)[];

/**
 * Reads flags like `error:probability=0.1,status=503`; kinds may be written with hyphens.
 *
 * @throws {InputError} If a kind or setting is unknown or a value out of range.
 * @example readFaultFlags(['cut-stream:events=5', 'reset']);
 */
export function readFaultFlags(flags: readonly string[]): FaultOptions {
  const given: Record<string, Record<string, number>> = {};
  for (const flag of flags) {
    const colon = flag.indexOf(':');
    const written = colon === -1 ? flag : flag.slice(0, colon);
    const kind = written.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const settings: Record<string, number> = {};
    for (const pair of colon === -1 ? [] : flag.slice(colon + 1).split(',')) {
      const [name = '', value = ''] = pair.split('=');
      settings[name] = value.trim() === '' ? Number.NaN : Number(value);
    }
    given[kind] = settings;
  }
  if (given['refuse']) {
    throw new InputError(
      'Fault "refuse" can only be set at run time; use the flag slow-start instead.',
    );
  }
  return readFaults(given);
}

/**
 * Reads the JSON form: kind to settings; omitted settings have their defaults.
 *
 * @throws {InputError} If a kind or setting is unknown or a value out of range.
 */
export function readFaults(given: unknown): FaultOptions {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new InputError(
      `Faults must be an object that maps each kind to its settings, such as {"error":{"probability":0.1}}; ` +
        `kinds: ${kinds.join(', ')}.`,
    );
  }
  const faults: Record<string, Record<string, number>> = {};
  for (const [kind, settings] of Object.entries(given)) {
    if (!Object.hasOwn(defaults, kind)) {
      throw new InputError(`Unknown fault "${kind}"; known: ${kinds.join(', ')}.`);
    }
    const known: Record<string, number> = { ...defaults[kind as keyof FaultOptions] };
    for (const [name, value] of Object.entries(settings ?? {})) {
      if (!Object.hasOwn(known, name)) {
        throw new InputError(
          `Fault "${kind}" has no setting "${name}"; it has: ${Object.keys(known).join(', ')}.`,
        );
      }
      known[name] = checkSetting(kind, name, value);
    }
    faults[kind] = known;
  }
  return faults as FaultOptions;
}

const ranges: Readonly<Record<string, readonly [least: number, most: number]>> = {
  probability: [0, 1],
  status: [500, 599],
  factor: [1, 1e6],
};

function checkSetting(kind: string, name: string, value: unknown): number {
  const [least, most] = ranges[name] ?? [0, 1e6];
  if (typeof value !== 'number' || !(value >= least && value <= most)) {
    throw new InputError(
      `Fault "${kind}": ${name} is ${String(value)}; it must be a number from ${least} to ${most}.`,
    );
  }
  return value;
}
