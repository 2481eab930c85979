// `spillway cache`: a cache server for LMCache.
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { startCache } from '../../apps/cache/index.ts';
import { InputError } from '../../core/base/index.ts';
import { endOnHurry, stopped, watchStopSignals } from '../../io/signals/index.ts';
import { portOrAny } from '../arguments/numbers.ts';
import { byteSize } from '../arguments/quantities.ts';

interface CacheFlags {
  readonly host: string;
  readonly port: number;
  readonly respPort: number;
  readonly memory: number;
  readonly passwordEnv?: string;
}

/** The command `cache`. */
export function cacheCommand(): Command {
  return new Command('cache')
    .description(
      'Run a cache server that LMCache uses unchanged: lm:// and Redis’ protocol over one bounded store in memory.',
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port of lm://; 0 for any', portOrAny, 65_432)
    .option('--resp-port <port>', 'port of Redis’ protocol; 0 for any', portOrAny, 6379)
    .option(
      '--memory <size>',
      'bound of the values, e.g. 8GiB',
      byteSize({ min: 1 << 20 }),
      2 ** 30,
    )
    .option(
      '--password-env <variable>',
      'environment variable with the password of Redis clients (lm:// has none)',
    )
    .exitOverride()
    .action(run);
}

async function run(flags: CacheFlags): Promise<void> {
  const { passwordEnv } = flags;
  const password = passwordEnv === undefined ? undefined : process.env[passwordEnv];
  if (passwordEnv !== undefined && !password) {
    throw new InputError(`--password-env ${passwordEnv}: the environment has no such variable.`);
  }
  const signals = watchStopSignals();
  endOnHurry(signals);
  const server = await startCache({
    host: flags.host,
    lmPort: flags.port,
    respPort: flags.respPort,
    memoryBytes: flags.memory,
    password,
    clock: { nowSeconds: () => performance.now() / 1000 },
    wallClock: { nowSeconds: () => Date.now() / 1000 },
  });
  process.stdout.write(`ready: ${server.urls.join(' ')}\n`);
  await stopped(signals);
  await server.close();
  signals.release();
}
