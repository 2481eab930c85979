// Ends a foreign program when we are killed: a shell that waits on a pipe from us.
import { spawn } from 'node:child_process';

/**
 * Reads a line that never comes; when the pipe closes we are gone, and the group that we started
 * gets SIGTERM, ten seconds, and SIGKILL. A shell, since it costs 1 MB and is everywhere.
 */
const script = `
read -r _
kill -s TERM -- "-$1" 2>/dev/null || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  kill -s 0 -- "-$1" 2>/dev/null || exit 0
done
kill -s KILL -- "-$1"
`;

/**
 * Watches over a process group until released.
 *
 * @param groupId Process group id: the pid of a child that was started detached.
 * @returns Releases the guard; call it when the group has ended.
 */
export function guardGroup(groupId: number): () => void {
  const guard = spawn('/bin/sh', ['-c', script, 'spillway-guard', String(groupId)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no guard; stopping in order still works.
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  // The guard is to end after us, not to keep us.
  guard.unref();
  (guard.stdin as unknown as { unref?: () => void }).unref?.();
  return () => guard.kill('SIGKILL');
}
