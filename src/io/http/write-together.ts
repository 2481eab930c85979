// Sends a head and the first bytes of its body in one system call, without allocating for it.
import type { Socket } from 'node:net';

const scratchBytes = 65_536;
// Writes are synchronous as long as the kernel takes all; then the scratch is free again at once.
let scratch = Buffer.allocUnsafeSlow(scratchBytes);

/**
 * Writes `head` (Latin-1) and `body` together.
 *
 * @param borrowed Whether the owner of `body` may overwrite it after this call.
 */
export function writeTogether(
  socket: Socket,
  head: string,
  body: Buffer | undefined,
  borrowed: boolean,
): void {
  const bodyBytes = body === undefined ? 0 : body.length;
  const total = head.length + bodyBytes;
  if (total <= scratchBytes) {
    scratch.write(head, 0, 'latin1');
    if (body !== undefined) body.copy(scratch, head.length);
    socket.write(scratch.subarray(0, total));
    // What the kernel did not take, the socket reads from the scratch later: leave it to the socket.
    if (socket.writableLength > 0) scratch = Buffer.allocUnsafeSlow(scratchBytes);
    return;
  }
  socket.cork();
  socket.write(head, 'latin1');
  if (body !== undefined) socket.write(borrowed ? Buffer.from(body) : body);
  socket.uncork();
}

/**
 * Writes bytes that their owner wants to overwrite soon.
 *
 * @returns Whether the socket still needs them: then the owner must use another buffer.
 */
export function writeBorrowed(socket: Socket, bytes: Buffer): boolean {
  if (socket.writableLength > 0) {
    // Behind other bytes: a small copy is cheaper than giving the whole read buffer away.
    socket.write(Buffer.from(bytes));
    return false;
  }
  socket.write(bytes);
  return socket.writableLength > 0;
}
