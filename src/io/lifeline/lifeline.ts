// Ends a child when its parent is gone, even if the parent was killed with SIGKILL.
import { env, exit, getBuiltinModule, kill, pid } from 'node:process';

/** Environment variable by which a parent names the file descriptor of the pipe to watch. */
export const lifelineVariable = 'SPILLWAY_LIFELINE';

/** The descriptor that parents use: the first after stdin, stdout and stderr. */
export const lifelineDescriptor = 3;

/** Time for an orderly end after the parent is gone; then the child exits at once. */
const orphanExitMs = 5_000;

/**
 * If the parent asked for it, watches the pipe: the kernel closes it when the parent dies, however
 * it died, and then this process gets SIGTERM, and is ended after 5 s at the latest.
 */
export function watchLifeline(): void {
  const descriptor = Number(env[lifelineVariable]);
  if (!(descriptor > 2)) return;
  // The children of this process have no such pipe.
  delete env[lifelineVariable];
  // Asked for here: most commands have no such parent, and no need of sockets.
  const { Socket } = getBuiltinModule('node:net');
  const pipe = new Socket({ fd: descriptor, readable: true, writable: false });
  const onCut = (): void => {
    setTimeout(() => exit(1), orphanExitMs).unref();
    kill(pid, 'SIGTERM');
  };
  pipe.on('error', () => undefined);
  pipe.once('close', onCut);
  pipe.resume();
  // The watch alone must not keep a finished program alive.
  pipe.unref();
}
