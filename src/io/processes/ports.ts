// Ports of this machine: free ones for children, and whether a wanted one can be had.
import { createServer, type Server } from 'node:net';
import { InputError } from '../../core/base/index.ts';

/** The kernel gives ports at random: where few are taken, the first try mostly does. */
const runAttemptsMax = 50;

/** Distinct loopback ports that are free now, given by the kernel. */
export async function freePorts(count: number): Promise<number[]> {
  // All are held open until the last is known, so that none is given twice.
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0, '127.0.0.1')));
  const ports = servers.map(portOf);
  await Promise.all(servers.map(close));
  return ports;
}

/**
 * The first ports of runs of consecutive loopback ports that are free now and do not overlap.
 *
 * @param lengths How many ports each run has.
 * @throws {InputError} If no such run is found in some tries.
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
  for (let attempt = 0; attempt < runAttemptsMax; attempt++) {
    const run: [Server, ...Server[]] = [await listen(0, '127.0.0.1')];
    const first = portOf(run[0]);
    try {
      while (run.length < length) run.push(await listen(first + run.length, '127.0.0.1'));
      return run;
    } catch {
      // One of them is taken, or past the last: elsewhere.
      await Promise.all(run.map(close));
    }
  }
  throw new InputError(
    `there are no ${length} free ports in a row on 127.0.0.1: ask for fewer engines, or choose the ports with --set spillway.enginePort=….`,
  );
}

/**
 * Checks that a port can be listened on, so that a taken one is known before anything starts.
 *
 * @param flag How to choose another, e.g. `--port`.
 * @throws {InputError} One sentence that names the port and the cure.
 */
export async function assertPortFree(host: string, port: number, flag: string): Promise<void> {
  try {
    await close(await listen(port, host));
  } catch (error) {
    throw new InputError(sentence((error as NodeJS.ErrnoException).code, host, port, flag), {
      cause: error,
    });
  }
}

function sentence(code: string | undefined, host: string, port: number, flag: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${host} is in use: stop the program that listens there, or choose another port with ${flag}.`;
    case 'EACCES':
      return `port ${port} on ${host} needs privileges that this user lacks: choose one of 1024 or above with ${flag}.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine: choose 127.0.0.1, 0.0.0.0 or one of its own with --host.`;
    default:
      return `cannot listen on port ${port} of ${host} (${code ?? 'unknown error'}): choose another with ${flag}.`;
  }
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
