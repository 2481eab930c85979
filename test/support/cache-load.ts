// Clients that store values whose bytes follow from their keys, and check each byte that comes back.
import { connect } from 'node:net';

/** The bytes of a key: never the same as those of another one, nor shifted. */
export function bytesOfKey(key: string, size: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = [...key].reduce(
    (hash, character) => Math.imul(hash ^ character.charCodeAt(0), 0x01000193),
    0x811c9dc5,
  );
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    words[i] = state;
  }
  return Buffer.from(words.buffer, 0, size);
}

/** Writes values without end until the connection breaks. @returns The keys that the server confirmed. */
export function writeUntilBroken(
  port: number,
  prefix: string,
  sizes: readonly number[],
): Promise<string[]> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const confirmed: string[] = [];
    let next = 0;
    const send = () => {
      const size = sizes[next % sizes.length] as number;
      const key = `${prefix}-${next++}-${size}`;
      socket.write(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${size}\r\n`);
      socket.write(bytesOfKey(key, size));
      socket.write('\r\n');
      socket.once('data', () => {
        confirmed.push(key);
        send();
      });
    };
    socket.once('connect', send);
    socket.on('error', () => {});
    socket.once('close', () => resolve(confirmed));
  });
}

/** Size of a value, from a key of `writeUntilBroken`. */
export function sizeOfKey(key: string): number {
  return Number(key.slice(key.lastIndexOf('-') + 1));
}
