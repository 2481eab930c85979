// A Unix socket that only its user may connect to.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { InputError } from '../../core/base/index.ts';

/**
 * Listens on a path. A socket that a killed server has left there is removed.
 *
 * @throws {InputError} If another server listens there, or the path cannot be used.
 */
export async function listenOnPath(server: Server, path: string): Promise<void> {
  if (isSocket(path)) {
    if (await accepts(path)) {
      throw new InputError(
        `--unix-socket ${path}: another server listens there; stop it, or choose another path.`,
      );
    }
    unlinkSync(path);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', ({ code }: NodeJS.ErrnoException) =>
      reject(
        new InputError(`--unix-socket ${path} cannot be used (${code}); choose another path.`),
      ),
    );
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
}

function isSocket(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
