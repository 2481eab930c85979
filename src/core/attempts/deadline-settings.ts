// Deadlines of the requests of a router: their defaults, and one table of the timeouts for the values file, the command line
// and "spillway up".

/** Deadlines of the requests of a router, in seconds; Infinity for none. */
export interface DeadlineSettings {
  /** From sending a request to the first byte of its response's body; `predicted` follows the policy. */
  readonly firstByteSeconds: number | 'predicted';
  /** Time without data on a stream that has begun. */
  readonly streamIdleSeconds: number;
  /** Time without data on all streams of an engine, after which it counts as wedged. */
  readonly engineStallSeconds: number;
  /** From the arrival of a request to the end of its response. */
  readonly totalSeconds: number;
  /** How long a request waits for an engine after the last one was lost; 0 to fail at once. */
  readonly engineWaitSeconds: number;
}

/** See decision 0023 for how the numbers were chosen. */
export const defaultDeadlines: DeadlineSettings = {
  firstByteSeconds: 'predicted',
  streamIdleSeconds: 60,
  engineStallSeconds: 10,
  totalSeconds: Number.POSITIVE_INFINITY,
  engineWaitSeconds: 5,
};

interface RouterTimeout {
  /** Key under `routerSpec.timeouts`. */
  readonly key:
    | 'connect'
    | 'firstByte'
    | 'streamIdle'
    | 'engineStall'
    | 'engineWait'
    | 'request'
    | 'sseKeepAlive';
  readonly flag: string;
  readonly help: string;
  /** Seconds; 0 for none; `auto` follows the routing policy. */
  readonly default: number | 'auto';
}

export const routerTimeouts: readonly RouterTimeout[] = [
  {
    key: 'connect',
    flag: '--connect-timeout',
    help: 'timeout for connecting to an engine',
    default: 5,
  },
  {
    key: 'firstByte',
    flag: '--first-byte-timeout',
    help: 'timeout for the first data of a response, after which another engine is tried; auto: 8 times what the policy predicts, but at least 15 s, and 600 s where it predicts nothing; 0 for none',
    default: 'auto',
  },
  {
    key: 'streamIdle',
    flag: '--stream-idle-timeout',
    help: 'maximum time without data on a stream that has begun; 0 for none',
    default: 60,
  },
  {
    key: 'engineStall',
    flag: '--engine-stall-timeout',
    help: 'maximum time without data on all streams of an engine, after which its requests move and it is ejected; 0 for none',
    default: 10,
  },
  {
    key: 'engineWait',
    flag: '--engine-wait-timeout',
    help: 'how long requests wait for an engine after the last one was lost, such as while engines restart; they then fail at once until one is back. 0 to fail at once always, also a request that two engines broke on',
    default: 5,
  },
  {
    key: 'request',
    flag: '--request-timeout',
    help: 'maximum time for a request, retries included; 0 for none. Clients can ask for less: x-envoy-upstream-rq-timeout-ms, grpc-timeout',
    default: 0,
  },
  {
    key: 'sseKeepAlive',
    flag: '--sse-keep-alive-interval',
    help: 'interval of keep-alive comments on a stream whose engine has accepted it and sends no data yet; 0 for none. After the first comment the status is 200, and a failure is an error event',
    default: 0,
  },
];

/** Timers count in 32-bit milliseconds. */
export const timeoutSecondsMax = 2_000_000;

/** Flags of the router for the timeouts that differ from their defaults. */
export function routerTimeoutFlags(timeouts: Readonly<Record<string, unknown>>): string[] {
  return routerTimeouts.flatMap(({ key, flag, default: standard }) => {
    const value = timeouts[key];
    return value === undefined || value === standard ? [] : [flag, String(value)];
  });
}
