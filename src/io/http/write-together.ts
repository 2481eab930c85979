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
 * @returns Bytes of memory that the socket now holds in addition to those that it has not sent.
 */
export function writeTogether(
  socket: Socket,
  head: string,
  body: Buffer | undefined,
  borrowed: boolean,
): number {
  const bodyBytes = body === undefined ? 0 : body.length;
  const total = head.length + bodyBytes;
  // A socket that connects, or has more to send, would keep the scratch buffer. So would a TLS socket, which reports
  // each write as pending until the next turn.
  const waits = socket.writableLength > 0 || socket.connecting;
  if (
    total <= scratchBytes &&
    (waits || (total <= copiedBytesMax && socket instanceof TLSSocket))
  ) {
    const bytes = Buffer.allocUnsafe(total);
    bytes.write(head, 0, 'latin1');
    if (body !== undefined) body.copy(bytes, head.length);
    socket.write(bytes);
    return 0;
  }
  if (total <= scratchBytes) {
    scratch.write(head, 0, 'latin1');
    if (body !== undefined) body.copy(scratch, head.length);
    socket.write(scratch.subarray(0, total));
    // The socket will read what the kernel did not accept from the scratch buffer later: leave that
    // buffer to it.
    if (socket.writableLength === 0) return 0;
    scratch = Buffer.allocUnsafeSlow(scratchBytes);
    return scratchBytes - total;
  }
  socket.cork();
  socket.write(head, 'latin1');
  if (body !== undefined) socket.write(borrowed ? Buffer.from(body) : body);
  socket.uncork();
  return 0;
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
