// Ends a child when its parent is gone, even if the parent was killed with SIGKILL.
import { env, exit, kill, pid, stdin } from 'node:process';

/** Environment variable by which a parent says that the child's stdin is a pipe to watch. */
export const lifelineVariable = 'SPILLWAY_LIFELINE';

/** Time for an orderly end after the parent is gone; then the child exits at once. */
const orphanExitMs = 5_000;

/**
 * If the parent asked for it, watches stdin: the kernel closes the pipe when the parent dies,
 * however it died, and then this process gets SIGTERM, and is ended after 5 s at the latest.
 */
export function watchLifeline(): void {
  if (env[lifelineVariable] !== 'stdin') return;
  // The children of this process have another stdin.
  delete env[lifelineVariable];
  let isCut = false;
  const onCut = (): void => {
    if (isCut) return;
    isCut = true;
    setTimeout(() => exit(1), orphanExitMs).unref();
    kill(pid, 'SIGTERM');
  };
  stdin.on('end', onCut);
  stdin.on('close', onCut);
  stdin.on('error', onCut);
  stdin.resume();
  // The watch alone must not keep a finished program alive.
  (stdin as unknown as { unref?: () => void }).unref?.();
}
