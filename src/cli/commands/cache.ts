// `spillway cache`: a cache server for LMCache, and `spillway cache check`, which tries one.
import { performance } from 'node:perf_hooks';
import { Command, Option } from 'commander';
import {
  type CacheController,
  type CacheDisk,
  type CacheTlsOptions,
  type ClusterRedirects,
  clusterRedirects,
  linkToFront,
  membershipOf,
  startCache,
} from '../../apps/cache/index.ts';
import { InputError } from '../../core/base/index.ts';
import { type EvictionName, evictionNames } from '../../core/eviction/index.ts';
import { type LmLayoutName, lmLayoutNames } from '../../core/lm/index.ts';
import { cacheTlsSettings } from '../../core/tls/index.ts';
import { steadyUnixClock } from '../../io/clocks/index.ts';
import { openNote } from '../../io/listen/index.ts';
import { createLogger, type Logger } from '../../io/log/index.ts';
import { openTracing } from '../../io/otlp/index.ts';
import { memoryThere } from '../../io/process-metrics/index.ts';
import { openSharedKey, type SharedKey } from '../../io/secrets/index.ts';
import { endOnHurry, stopped, watchStopSignals } from '../../io/signals/index.ts';
import { applyConfigFile } from '../arguments/config-file.ts';
import { integer, portOrAny, positiveInteger } from '../arguments/numbers.ts';
import { byteSize, duration, memorySize } from '../arguments/quantities.ts';
import { type BucketFlags, bucketOf } from '../cache/bucket-flags.ts';
import { readUsersFile } from '../cache/users-file.ts';
import { provideFileThreads } from '../file-threads.ts';
import { addLogFlags, type LogFlags } from '../log-flags.ts';
import { secretFrom } from '../router/secret-from.ts';
import { addTraceFlags, type TraceFlags, tracingFrom } from '../trace-flags.ts';
import { boundYoungGeneration } from '../young-generation.ts';
import { cacheCheckCommand } from './cache-check.ts';
import { runCacheFront } from './cache-front.ts';

interface CacheFlags extends TraceFlags, LogFlags, BucketFlags {
  readonly config?: string;
  readonly front?: true;
  readonly host: string;
  readonly port: number;
  readonly lm: boolean;
  readonly lmLayout: LmLayoutName;
  readonly respPort: number;
  readonly unixSocket?: string;
  readonly httpPort?: number;
  readonly coordinatorPort?: number;
  readonly controllerPort?: number;
  readonly controllerHttpPort?: number;
  readonly workerTimeout: number;
  readonly engineHashSeed: number;
  readonly memory: number;
  readonly maxValueSize?: number;
  readonly maxConnections: number;
  readonly passwordEnv?: string;
  readonly users?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly tlsCa?: string;
  readonly eviction: EvictionName;
  readonly diskEviction?: EvictionName;
  readonly disk?: string;
  readonly diskSize?: number;
  readonly peers?: string;
  readonly peersKeyFile?: string;
  readonly peerAddress?: string;
  readonly copies: number;
  readonly clusterRedirects: ClusterRedirects;
  readonly handoverRate: number;
  readonly readTimeout: number;
  readonly drainTimeout: number;
}

/** How long a server that stops waits for its collector. */
const tracesCloseMs = 2_000;
const serviceNameDefault = 'spillway-cache';
const peersKeyVariable = 'SPILLWAY_CACHE_PEERS_KEY';

/** The command `cache`. */
export function cacheCommand(): Command {
  const command = new Command('cache')
    .description(
      'Run a cache server that LMCache uses unchanged: it speaks lm:// and the Redis protocol, and keeps values in one bounded store.',
    )
    .option(
      '--config <file>',
      'YAML file with these options by name; the command line takes precedence',
    )
    .option(
      '--front',
      'keep the connections of clients while the store restarts: on SIGHUP, for an upgrade, and after a crash',
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port of lm://; 0 chooses a free one', portOrAny, 65_432)
    .option('--no-lm', 'do not listen for lm://, which has no passwords')
    .addOption(
      new Option(
        '--lm-layout <bytes>',
        'bytes of a client’s header over lm://: 186 since LMCache 0.3.3; 182 before, with the engine that was called experimental; 158 with the one before it',
      )
        .choices(lmLayoutNames)
        .default('186'),
    )
    .option(
      '--resp-port <port>',
      'port of the Redis protocol; 0 chooses a free one',
      portOrAny,
      6379,
    )
    .option(
      '--unix-socket <path>',
      'path of a Unix socket for the Redis protocol; only this user may connect',
    )
    .option(
      '--http-port <port>',
      'port of /metrics, /health, /ready and /stats; 0 chooses a free one (default: none)',
      portOrAny,
    )
    .option(
      '--coordinator-port <port>',
      'port of the coordinator for LMCache’s multiprocess mode, whose usual port is 9300; 0 chooses a free one (default: none)',
      portOrAny,
    )
    .option(
      '--controller-port <port>',
      'port of the controller for LMCache in engines, whose usual port is 9000: engines push to it, send requests to the next port, and heartbeats to the one after; 0 chooses free ones (default: none)',
      portOrAny,
    )
    .option(
      '--controller-http-port <port>',
      'port of the controller’s HTTP API, such as /lookup; 0 chooses a free one (default: none)',
      portOrAny,
    )
    .option(
      '--worker-timeout <duration>',
      'time without a message after which the controller forgets an engine’s worker',
      duration('s', { min: 1 }),
      300,
    )
    .option(
      '--engine-hash-seed <number>',
      'PYTHONHASHSEED of the engines, by which /lookup names chunks like they do',
      integer({ min: 0, max: 2 ** 32 - 1 }),
      123,
    )
    .option(
      '--memory <size>',
      'maximum memory for values, e.g. 8GiB, or a share of the memory of the container or machine, e.g. 75%',
      memorySize({ min: 1 << 20, bytesThere: memoryThere() }),
      2 ** 30,
    )
    .addOption(
      new Option(
        '--eviction <order>',
        'which values in memory make room for others: the least recently used ones, S3-FIFO, or the ends of prompts first',
      )
        .choices(evictionNames)
        .default('lru'),
    )
    .option(
      '--max-value-size <size>',
      'maximum size of a value; larger ones are not stored (default: that of --memory)',
      byteSize({ min: 1 << 20 }),
    )
    .option(
      '--max-connections <count>',
      'maximum number of client connections; further ones are rejected',
      positiveInteger,
      10_000,
    )
    .option(
      '--password-env <variable>',
      'environment variable that holds the password of Redis clients (lm:// has none)',
    )
    .option(
      '--users <file>',
      'YAML file of Redis clients’ users, the variables or files of their passwords, and their tenants with memory of their own',
    )
    .option(
      '--disk <folder>',
      'folder for values that no longer fit in memory; for one server at a time',
    )
    .option(
      '--disk-size <size>',
      'maximum size of the files in that folder',
      byteSize({ min: 1 << 20 }),
    )
    .addOption(
      new Option('--disk-eviction <order>', 'the same for files (default: as --eviction)').choices(
        evictionNames,
      ),
    )
    .option(
      '--s3 <s3://bucket/prefix>',
      'bucket for values that no longer fit in memory or on disk; credentials as for the AWS CLI',
    )
    .option(
      '--s3-endpoint <url>',
      'URL of an object store other than Amazon S3, e.g. http://minio:9000',
    )
    .option('--s3-region <region>', 'region of the bucket (default: AWS_REGION, or us-east-1)')
    .option(
      '--s3-part-size <size>',
      'size of the parts in which larger values are stored and loaded, several at once (default: 8MiB)',
      byteSize({ min: 5 << 20 }),
    )
    .option(
      '--peers <list>',
      'all servers that share the keys, as HOST:PORT of the Redis protocol; or one name that resolves to them, such as a headless Service',
    )
    .option(
      '--peers-key-file <file>',
      `file with the key by which these servers know each other, the same for all; further lines are accepted, too. ${peersKeyVariable} holds it otherwise`,
    )
    .option('--peer-address <address>', 'this server’s own entry among them (default: by address)')
    .option('--copies <count>', 'number of servers that keep each value', positiveInteger, 1)
    .addOption(
      new Option(
        '--cluster-redirects <clients>',
        'Redis clients that get MOVED for a key that other servers keep: those that have sent CLUSTER SLOTS, SHARDS or NODES (auto), none, or all; without it, any server serves every key',
      )
        .choices(clusterRedirects)
        .default('auto'),
    )
    .addOption(
      new Option(
        '--handover-rate <size>',
        'bytes per second at which values move when a server joins or leaves',
      )
        .argParser(byteSize({ min: 1 << 20 }))
        .default(100 << 20, '100MiB'),
    )
    .addOption(
      new Option(
        '--read-timeout <duration>',
        'maximum time to read a value from disk, S3 or another server, after which it counts as a miss',
      )
        .argParser(duration('ms'))
        .default(250, '250ms'),
    )
    .option(
      '--drain-timeout <duration>',
      'maximum time for requests in progress to finish after SIGTERM or SIGINT',
      duration('s', { min: 0 }),
      30,
    )
    .exitOverride()
    // --tls-ca and others of `cache check` are its own.
    .enablePositionalOptions()
    .addCommand(cacheCheckCommand())
    .action((_flags: CacheFlags, command: Command) => run(command));
  command.optionsGroup('TLS:');
  for (const { flag, placeholder, help } of cacheTlsSettings) {
    command.option(`${flag} ${placeholder}`, help);
  }
  addTraceFlags(command, serviceNameDefault);
  return addLogFlags(command.optionsGroup('Log:'));
}

async function run(command: Command): Promise<void> {
  boundYoungGeneration();
  provideFileThreads();
  const { config } = command.opts<CacheFlags>();
  if (config !== undefined) applyConfigFile(command, config);
  const flags = command.opts<CacheFlags>();
  const { passwordEnv } = flags;
  const password = passwordEnv === undefined ? undefined : process.env[passwordEnv];
  if (passwordEnv !== undefined && !password) {
    throw new InputError(`--password-env ${passwordEnv}: the environment has no such variable.`);
  }
  if (flags.peers === undefined && (flags.copies > 1 || flags.peerAddress !== undefined)) {
    throw new InputError('--copies and --peer-address need --peers, the other servers.');
  }
  if (flags.peers === undefined && flags.peersKeyFile !== undefined) {
    throw new InputError('--peers-key-file needs --peers, the other servers.');
  }
  const signals = watchStopSignals();
  endOnHurry(signals);
  const log = createLogger({
    stream: process.stderr,
    level: flags.logLevel,
    format: flags.logFormat,
  });
  const peersKey = await peersKeyOf(flags, log);
  const link = linkToFront();
  if (link === undefined) warnOfMemory(flags.memory, log);
  if (flags.front && link === undefined) {
    const { users = [] } = usersOf(flags);
    await runCacheFront(flags, { password, users, peersKey, log, signals });
    log.flush();
    signals.release();
    return;
  }
  const traces = tracingFrom(flags, serviceNameDefault, log);
  const tracing = traces && (await openTracing(traces, log));
  const membership =
    flags.peers === undefined ? undefined : await membershipOf(flags.peers, flags.peerAddress);
  const server = await startCache({
    host: flags.host,
    lmPort: flags.lm ? flags.port : undefined,
    lmLayout: flags.lmLayout,
    respPort: flags.respPort,
    unixSocket: flags.unixSocket,
    link,
    httpPort: flags.httpPort,
    coordinatorPort: flags.coordinatorPort,
    controller: controllerOf(flags),
    memoryBytes: flags.memory,
    eviction: flags.eviction,
    valueBytesMax: flags.maxValueSize,
    connectionsMax: flags.maxConnections,
    disk: diskOf(flags),
    s3: bucketOf(flags),
    readTimeoutMs: flags.readTimeout,
    peers: membership && {
      ...{ self: membership.self, members: membership.members, copies: flags.copies },
      ...{ handOverBytesPerSecond: flags.handoverRate, serverName: membership.name },
      key: peersKey,
    },
    redirects: flags.clusterRedirects,
    password,
    ...usersOf(flags),
    tls: tlsOf(flags, log),
    ...{ tracing, log },
    clock: { nowSeconds: () => performance.now() / 1000 },
    wallClock: { nowSeconds: () => Date.now() / 1000 },
    steadyUnixClock,
  });
  if (link === undefined) process.stdout.write(`ready: ${server.urls.join(' ')}\n`);
  const open = openTo(flags);
  if (open !== undefined) log.warning(open);
  const watch = membership?.watch((members) => void server.peers?.change(members));
  const drainTimeoutMs = 1000 * flags.drainTimeout;
  await Promise.race([stopped(signals), link?.stopped].filter((event) => event !== undefined));
  watch?.stop();
  peersKey?.stop();
  await link?.giveBack(drainTimeoutMs);
  await server.drain(drainTimeoutMs);
  link?.close();
  await tracing?.exporter.close(tracesCloseMs);
  log.flush();
  signals.release();
}

/** @throws {InputError} If other servers would be known by nothing. */
async function peersKeyOf(
  { peers, peersKeyFile: path, tlsClientCa }: CacheFlags,
  log: Logger,
): Promise<SharedKey | undefined> {
  if (peers === undefined) return undefined;
  const flag = '--peers-key-file';
  const variable = peersKeyVariable;
  const key = await openSharedKey({ path, flag, key: secretFrom(variable), variable, log });
  if (key === undefined && tlsClientCa === undefined) {
    throw new InputError(
      `--peers needs a key by which the servers know each other: give all of them the same one, with ${flag} FILE or in ${variable}; or --tls-client-ca, and certificates for their names.`,
    );
  }
  key?.follow();
  return key;
}

function usersOf({
  users: path,
  passwordEnv,
  peers,
}: CacheFlags): Partial<ReturnType<typeof readUsersFile>> {
  if (path === undefined) return {};
  if (peers !== undefined && passwordEnv === undefined) {
    throw new InputError(
      '--users with --peers needs --password-env: servers authenticate to each other with it.',
    );
  }
  return readUsersFile(path);
}

function tlsOf(
  { tlsCert: cert, tlsKey: key, tlsClientCa: clientCa, tlsCa: ca }: CacheFlags,
  log: Logger,
): CacheTlsOptions | undefined {
  const files = { cert, key, clientCa, ca };
  const isGiven = Object.values(files).some((file) => file !== undefined);
  return isGiven ? { ...files, log } : undefined;
}

/** What the server says if others reach it without a password; lm:// knows none. */
function openTo(flags: CacheFlags): string | undefined {
  const { host, lm } = flags;
  if (flags.tlsClientCa !== undefined) return undefined;
  if (lm)
    return openNote(
      host,
      'this cache',
      'The protocol lm:// knows none: keep its port inside a network that you trust.',
    );
  const isClosed = flags.passwordEnv !== undefined || flags.users !== undefined;
  return isClosed ? undefined : openNote(host, 'this cache', 'Give it one with --password-env.');
}

/** Memory is taken as values come, so that too large a bound is found days later, by the kernel. */
function warnOfMemory(bytes: number, log: Logger): void {
  const there = memoryThere();
  if (bytes <= there) return;
  const gib = (value: number) => (value / 2 ** 30).toFixed(1);
  log.warning(
    `--memory is ${gib(bytes)} GiB, but there are ${gib(there)} GiB: the server will be killed when values fill them.`,
  );
}

function controllerOf(flags: CacheFlags): CacheController | undefined {
  const { controllerPort: port, controllerHttpPort: httpPort } = flags;
  if (port !== undefined) {
    const { workerTimeout: workerTimeoutSeconds, engineHashSeed: hashSeed } = flags;
    return { port, httpPort, workerTimeoutSeconds, hashSeed };
  }
  if (httpPort === undefined) return undefined;
  throw new InputError('--controller-http-port needs --controller-port, to which engines report.');
}

function diskOf({ disk, diskSize, eviction, diskEviction }: CacheFlags): CacheDisk | undefined {
  if ((disk ?? diskSize ?? diskEviction) === undefined) return undefined;
  if (disk === undefined || diskSize === undefined) {
    throw new InputError(
      '--disk and --disk-size belong together: a folder and the bound of its files.',
    );
  }
  return { folder: disk, bytesMax: diskSize, eviction: diskEviction ?? eviction };
}
