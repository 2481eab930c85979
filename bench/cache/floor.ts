// What Node's sockets alone can do: a server that receives all values into one buffer, drops them, and sends one buffer as any value.
// It reads as the cache server does; what the cache server takes longer is its own work.
//
//   node bench/cache/floor.ts PORT
import { createServer } from 'node:net';
import { clientSocket } from '../../src/apps/cache/client-reads.ts';
import { bulkHead, integerReply, lineEnd, ok, RequestReader } from '../../src/core/resp/index.ts';

/** Longest value that `client.ts` asks for. */
const valueBytesMax = 64 << 20;
const received = new Uint8Array(new SharedArrayBuffer(1 << 20));
const sent = new Uint8Array(new SharedArrayBuffer(valueBytesMax)).fill(7);

/** The size is part of each key of `client.ts`. */
function sizeIn(key: string): number {
  return Number.parseInt(/@0@([\da-f]+)[\da-f]{4}@/.exec(key)?.[1] ?? '0', 16);
}

createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
  const { socket, start } = clientSocket(accepted);
  socket.on('error', () => socket.destroy());
  const reader = new RequestReader({
    command([name, key = '']) {
      if (name !== 'GET') {
        socket.write(name === 'EXISTS' ? integerReply(1) : ok);
        return;
      }
      const size = sizeIn(key);
      socket.cork();
      for (const part of [bulkHead(size), sent.subarray(0, size), lineEnd]) socket.write(part);
      socket.uncork();
    },
    streamed: () => ({
      write() {},
      space: () => received,
      filled() {},
      end: () => void socket.write(ok),
    }),
  });
  start({
    space: () => reader.space(),
    filled: (count) => reader.filled(count),
    push: (bytes) => reader.push(bytes),
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
