// Ends a foreign program when this process is killed: a shell waits on a pipe from us.
import { spawn } from 'node:child_process';

/**
 * Waits for a line that never comes. The pipe closes when this process is gone; then the group that
 * it started gets SIGTERM and, ten seconds later, SIGKILL. A shell costs 1 MB and is available
 * everywhere.
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
 * Watches a process group until released.
 *
 * @param groupId Process group id: the pid of a child that was started detached.
 * @returns A function that releases the guard; call it when the group has ended.
 */
export function guardGroup(groupId: number): () => void {
  const guard = spawn('/bin/sh', ['-c', script, 'spillway-guard', String(groupId)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell there is no guard; an orderly stop still works.
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  // The guard must outlive this process, not keep it running.
  guard.unref();
  (guard.stdin as unknown as { unref?: () => void }).unref?.();
  return () => guard.kill('SIGKILL');
}
