// Writes to a socket with TLS a piece at a time. Node encrypts whatever it is given at once into memory of its own, so that
// a client which is slow to read a value would hold a second copy of it.
import { Writable } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/** Bytes that are encrypted at once. */
const pieceBytes = 256 << 10;

/** A stream in front of the socket; it ends and closes with it. */
export function pacedOutput(socket: TLSSocket): Writable {
  const output = new Writable({
    write(bytes: Uint8Array, _encoding, done) {
      let at = 0;
      const next = (error?: Error | null) => {
        if (error || at >= bytes.length) {
          done(error);
          return;
        }
        const piece = bytes.subarray(at, at + pieceBytes);
        at += piece.length;
        socket.write(piece, next);
      };
      next();
    },
    final(done) {
      socket.end(done);
    },
  });
  // What went wrong is the socket's to report.
  output.on('error', () => socket.destroy());
  socket.once('close', () => output.destroy());
  return output;
}
