// KV cache below the GPUs: the controller to which LMCache in engines reports, and the cost of loads.
import { type Command, Option } from 'commander';
import type {
  LmcacheControllerOptions,
  RouterOptions,
  TierRates,
} from '../../apps/router/index.ts';
import { engineAddress, InputError } from '../../core/base/index.ts';
import { type CacheTier, cacheTiers, tierRates } from '../../core/routing/index.ts';
import { integer, portOrAny } from '../arguments/numbers.ts';
import { byteSize, duration } from '../arguments/quantities.ts';

export interface LmcacheFlags {
  readonly lmcacheControllerPort?: number;
  readonly lmcacheControllerReplyPort?: number;
  readonly lmcacheControllerHeartbeatPort?: number;
  readonly lmcacheCoordinatorPort?: number;
  readonly lmcacheHealthCheckInterval: number;
  readonly lmcacheWorkerTimeout: number;
  readonly engineHashSeed: number;
  readonly kvBytesPerToken: ReadonlyMap<string, number>;
  readonly kvRate: Rates;
}

interface Rates {
  readonly all: TierRates;
  readonly byEngine: ReadonlyMap<string, TierRates>;
}

/** Upstream's port of the controller. */
const pullPortDefault = 9000;

export function addLmcacheFlags(command: Command): Command {
  return command
    .optionsGroup('KV cache outside the GPUs:')
    .option(
      '--lmcache-controller-port <port>',
      'port to which LMCache in engines reports what it stores and evicts, so that kvaware and predictive count it; any of ' +
        `these three ports starts the controller, on --host (default: none; ${pullPortDefault} with one of the others)`,
      portOrAny,
    )
    .option(
      '--lmcache-controller-reply-port <port>',
      'port on which LMCache registers (default: the controller’s port plus 1)',
      portOrAny,
    )
    .option(
      '--lmcache-controller-heartbeat-port <port>',
      'port of its heartbeats (default: the controller’s port plus 2)',
      portOrAny,
    )
    .option(
      '--lmcache-coordinator-port <port>',
      'port of the coordinator for LMCache’s servers in multiprocess mode, whose usual port is 9300; on --host (default: none)',
      portOrAny,
    )
    .option(
      '--lmcache-health-check-interval <duration>',
      'how often the controller looks for silent workers of LMCache',
      duration('s', { min: 0.1, max: 86_400 }),
      5,
    )
    .option(
      '--lmcache-worker-timeout <duration>',
      'time without a message after which a worker of LMCache is forgotten, with what it has; set LMCache’s heartbeats to less',
      duration('s'),
      30,
    )
    .option(
      '--engine-hash-seed <n>',
      'PYTHONHASHSEED of the engines, from which LMCache’s names of chunks follow',
      integer({ min: 0, max: 4_294_967_295 }),
      123,
    )
    .addOption(
      new Option(
        '--kv-bytes-per-token <model=bytes>',
        'size of the KV cache of one token of a model, over all GPUs of an engine; may be repeated',
      )
        .argParser(kvBytes)
        .default(new Map<string, number>(), 'that of the catalogue or, for unknown models, 131072'),
    )
    .addOption(
      new Option(
        '--kv-rate <[url=]tier:bytes>',
        'bytes per second that an engine, or all of them, load from a tier: host, peer, disk or store; may be repeated',
      )
        .argParser(kvRate)
        .default(
          { all: {}, byEngine: new Map() } satisfies Rates,
          cacheTiers.map((tier) => `${tier}:${tierRates[tier] / 1e9}GB`).join(', '),
        ),
    );
}

export function lmcacheFrom(
  flags: LmcacheFlags,
  host = '127.0.0.1',
): Pick<RouterOptions, 'lmcacheController' | 'lmcacheCoordinator' | 'tiers'> {
  const { kvBytesPerToken, kvRate: rates, lmcacheCoordinatorPort: port } = flags;
  return {
    lmcacheController: controllerOf(flags, host),
    lmcacheCoordinator: port === undefined ? undefined : { host, port },
    tiers: { kvBytesPerToken, rates: rates.all, engineRates: rates.byEngine },
  };
}

function controllerOf(flags: LmcacheFlags, host: string): LmcacheControllerOptions | undefined {
  const { lmcacheControllerPort: pull, lmcacheControllerReplyPort: reply } = flags;
  const { lmcacheControllerHeartbeatPort: heartbeat } = flags;
  if (pull === undefined && reply === undefined && heartbeat === undefined) return undefined;
  const pullPort = pull ?? pullPortDefault;
  return {
    ...{ host, pullPort, hashSeed: flags.engineHashSeed },
    replyPort: reply ?? (pullPort && pullPort + 1),
    heartbeatPort: heartbeat ?? (pullPort && pullPort + 2),
    workerTimeoutSeconds: flags.lmcacheWorkerTimeout,
    checkSeconds: flags.lmcacheHealthCheckInterval,
  };
}

function kvBytes(text: string, before: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const [, model, bytes] = /^(.+)=([^=]+)$/.exec(text) ?? [];
  if (model === undefined || bytes === undefined) {
    throw new InputError(
      `--kv-bytes-per-token must be MODEL=BYTES, such as Qwen/Qwen3-8B=147456, not "${text}".`,
    );
  }
  return new Map([...before, [model, byteSize()(bytes)]]);
}

function kvRate(text: string, { all, byEngine }: Rates): Rates {
  const [, url, name, rate = ''] = /^(?:(https?:\/\/[^=]+)=)?(\w+):(\w[\w.]*)$/.exec(text) ?? [];
  const tier = cacheTiers.find((known): known is CacheTier => known === name);
  if (tier === undefined) {
    throw new InputError(
      `--kv-rate must be TIER:BYTES or URL=TIER:BYTES with the tier ${cacheTiers.join(', ')}, such as host:50GB or http://127.0.0.1:8000=store:1GB, not "${text}".`,
    );
  }
  const given = { [tier]: byteSize()(rate) };
  if (url === undefined) return { byEngine, all: { ...all, ...given } };
  const engine = engineAddress(url).url;
  return { all, byEngine: new Map([...byEngine, [engine, { ...byEngine.get(engine), ...given }]]) };
}
