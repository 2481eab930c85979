// The pipe from a child to its parent. It ends the child when the parent is gone, even by SIGKILL, and
// tells the parent which signals the child got.
import type { Socket } from 'node:net';
import { env, exit, getBuiltinModule, kill, pid } from 'node:process';

/** Environment variable by which a parent names the file descriptor of the pipe to watch. */
export const lifelineVariable = 'SPILLWAY_LIFELINE';

/** The descriptor that parents use: the first after stdin, stdout and stderr. */
export const lifelineDescriptor = 3;

/** Time for an orderly end after the parent is gone; after it, the child exits at once. */
const orphanExitMs = 5_000;

let lifeline: Socket | undefined;

/**
 * If the parent requested it, watches the pipe. The kernel closes it when the parent dies, for
 * whatever reason; then this process gets SIGTERM, and exits after 5 s at the latest.
 */
export function watchLifeline(): void {
  const descriptor = Number(env[lifelineVariable]);
  if (!(descriptor > 2)) return;
  // The children of this process have no such pipe.
  delete env[lifelineVariable];
  // Loaded here because most commands have no such parent and need no sockets.
  const { Socket } = getBuiltinModule('node:net');
  const pipe = new Socket({ fd: descriptor, readable: true, writable: true });
  const onCut = (): void => {
    setTimeout(() => exit(1), orphanExitMs).unref();
    kill(pid, 'SIGTERM');
  };
  pipe.on('error', () => undefined);
  pipe.once('close', onCut);
  pipe.resume();
  // The pipe alone must not keep a finished program running.
  pipe.unref();
  lifeline = pipe;
}

/**
 * Tells the parent that this process got a signal. A terminal sends Ctrl-C to both, and then the parent
 * does not pass it on. Does nothing without a watched pipe.
 */
export function acknowledgeSignal(name: NodeJS.Signals): void {
  lifeline?.write(`${name}\n`);
}
