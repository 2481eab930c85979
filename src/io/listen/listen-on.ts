// Listens on a port that a flag names.
import type { Server } from 'node:net';
import { portError } from './listen-error.ts';

/**
 * @returns The port, which the system has chosen in place of 0.
 * @throws {InputError} If the port cannot be used.
 */
export function listenOn(
  server: Server,
  host: string,
  port: number,
  flag: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, host, port, flag)));
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
