// Sends a head and the first bytes of its body in one system call, without allocating for it.
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

const scratchBytes = 65_536;
/** Maximum size of a write that is copied for a TLS socket. Half of Node's pool, so that it costs no buffer. */
const copiedBytesMax = 4_096;
// Writes are synchronous as long as the kernel accepts everything; then the scratch buffer is free
// again at once.
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
  if (total <= copiedBytesMax && socket instanceof TLSSocket) {
    // A TLS socket reports each write as pending until the next turn, and would keep the scratch buffer.
    const bytes = Buffer.allocUnsafe(total);
    bytes.write(head, 0, 'latin1');
    if (body !== undefined) body.copy(bytes, head.length);
    socket.write(bytes);
    return;
  }
  if (total <= scratchBytes) {
    scratch.write(head, 0, 'latin1');
    if (body !== undefined) body.copy(scratch, head.length);
    socket.write(scratch.subarray(0, total));
    // The socket will read what the kernel did not accept from the scratch buffer later: leave that
    // buffer to it.
    if (socket.writableLength > 0) scratch = Buffer.allocUnsafeSlow(scratchBytes);
    return;
  }
  socket.cork();
  socket.write(head, 'latin1');
  if (body !== undefined) socket.write(borrowed ? Buffer.from(body) : body);
  socket.uncork();
}

/**
 * Writes bytes that their owner will overwrite soon.
 *
 * @returns Whether the socket still needs them; then the owner must use another buffer.
 */
export function writeBorrowed(socket: Socket, bytes: Buffer): boolean {
  const isSmallTls = bytes.length <= copiedBytesMax && socket instanceof TLSSocket;
  if (socket.writableLength > 0 || isSmallTls) {
    // Other bytes are queued before these, or will be reported so: a small copy is cheaper than giving
    // up the whole read buffer.
    socket.write(Buffer.from(bytes));
    return false;
  }
  socket.write(bytes);
  return socket.writableLength > 0;
}
