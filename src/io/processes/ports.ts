// Finds free ports of this machine for children, and checks whether a wanted port is free.
import { createServer, type Server } from 'node:net';
import { InputError } from '../../core/base/index.ts';
import { portError } from '../listen/index.ts';

/**
 * Ports that are drawn: below those that kernels give to outgoing connections, from 32768 on in Linux and from 49152 elsewhere. A
 * child may need minutes until it listens, as vLLM does, and a connection could have its port by then.
 */
const firstPort = 20_000;
const lastPort = 32_767;
/** Maximum number of tries: where few ports are in use, the first one mostly succeeds. */
const attemptsMax = 50;

/** Returns distinct loopback ports that are free now, drawn at random. */
export async function freePorts(count: number): Promise<number[]> {
  // All are kept open until the last is known, so that no port is assigned twice.
  const servers = await Promise.all(Array.from({ length: count }, listenFree));
  const ports = servers.map(portOf);
  await Promise.all(servers.map(close));
  return ports;
}

/**
 * Returns the first ports of runs of consecutive loopback ports that are free now and do not
 * overlap.
 *
 * @param lengths Number of ports of each run.
 * @throws {InputError} If several tries find no such run.
 */
export async function freePortRuns(lengths: readonly number[]): Promise<number[]> {
  const held: Server[] = [];
  try {
    const runs: number[] = [];
    for (const length of lengths) {
      const run = await holdRun(length);
      held.push(...run);
      runs.push(portOf(run[0]));
    }
    return runs;
  } finally {
    await Promise.all(held.map(close));
  }
}

async function holdRun(length: number): Promise<readonly [Server, ...Server[]]> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const run: [Server, ...Server[]] = [await listenFree()];
    const first = portOf(run[0]);
    try {
      while (run.length < length) run.push(await listen(first + run.length, '127.0.0.1'));
      return run;
    } catch {
      // One of the ports is in use, or past the last: try elsewhere.
      await Promise.all(run.map(close));
    }
  }
  throw new InputError(
    `there are no ${length} free ports in a row on 127.0.0.1: ask for fewer engines, or choose the ports with --set spillway.enginePort=….`,
  );
}

/**
 * Checks that a port can be listened on, so that a port in use is reported before anything starts.
 *
 * @param flag The flag that chooses another port, e.g. `--port`.
 * @throws {InputError} One sentence that names the port and the remedy.
 */
export async function assertPortFree(host: string, port: number, flag: string): Promise<void> {
  try {
    await close(await listen(port, host));
  } catch (error) {
    throw portError(error as Error, host, port, flag);
  }
}

/** Listens on a port drawn at random; on one that the kernel assigns where many are in use. */
async function listenFree(): Promise<Server> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const port = firstPort + Math.floor(Math.random() * (lastPort + 1 - firstPort));
    try {
      return await listen(port, '127.0.0.1');
    } catch {
      // It is in use.
    }
  }
  return listen(0, '127.0.0.1');
}

function listen(port: number, host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => resolve(server));
  });
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
