// `spillway cache --front`: a process that keeps the clients, and the store in a child that restarts on SIGHUP.
import { spawn } from 'node:child_process';
import {
  CacheFront,
  type CacheUser,
  marksDescriptor,
  storeVariable,
} from '../../apps/cache/index.ts';
import { InputError } from '../../core/base/index.ts';
import type { LmLayoutName } from '../../core/lm/index.ts';
import type { Logger } from '../../io/log/index.ts';
import type { SharedKey } from '../../io/secrets/index.ts';
import { type StopSignals, stopped } from '../../io/signals/index.ts';

export interface FrontFlags {
  readonly host: string;
  readonly lm: boolean;
  readonly port: number;
  readonly lmLayout: LmLayoutName;
  readonly respPort: number;
  readonly unixSocket?: string;
  readonly tlsCert?: string;
  /** Seconds. */
  readonly drainTimeout: number;
}

interface FrontContext {
  readonly password: string | undefined;
  readonly users: readonly CacheUser[];
  readonly peersKey: Pick<SharedKey, 'isRight'> | undefined;
  readonly log: Logger;
  readonly signals: StopSignals;
}

/** Runs until a signal stops it. The exit status is that of a store that does not start. */
export async function runCacheFront(
  flags: FrontFlags,
  { password, users, peersKey, log, signals }: FrontContext,
): Promise<void> {
  if (flags.tlsCert !== undefined) {
    throw new InputError(
      '--front and --tls-cert exclude each other: the keys of a TLS connection cannot be handed to another process.',
    );
  }
  const front = new CacheFront({
    host: flags.host,
    lmPort: flags.lm ? flags.port : undefined,
    lmLayout: flags.lmLayout,
    respPort: flags.respPort,
    unixSocket: flags.unixSocket,
    ...{ password, users, peersKey, log, spawnStore },
    clock: { nowSeconds: () => performance.now() / 1000 },
    wallClock: { nowSeconds: () => Date.now() / 1000 },
  });
  const failed = await front.open();
  if (failed !== undefined) {
    process.exitCode = failed;
    return;
  }
  process.stdout.write(`ready: ${front.urls.join(' ')}\n`);
  const onHangUp = () => void front.restart();
  process.on('SIGHUP', onHangUp);
  await stopped(signals);
  process.off('SIGHUP', onHangUp);
  await front.close(1000 * flags.drainTimeout);
}

/** The same command line, of the program as it is installed now. */
function spawnStore(marks: number) {
  const stdio: ('ignore' | 'inherit' | 'ipc' | number)[] = ['ignore', 'inherit', 'inherit', 'ipc'];
  stdio[marksDescriptor] = marks;
  return spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio,
    env: { ...process.env, [storeVariable]: '1' },
  });
}
