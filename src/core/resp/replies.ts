// Replies to Redis clients, in RESP2 and RESP3.

const encoder = new TextEncoder();

/** Version of the protocol that a connection speaks; HELLO changes it. */
export type RespVersion = 2 | 3;

export const ok = encoder.encode('+OK\r\n');

/** @example simple('PONG'); // +PONG */
export function simple(text: string): Uint8Array {
  return encoder.encode(`+${text}\r\n`);
}

export function integerReply(value: number): Uint8Array {
  return encoder.encode(`:${value}\r\n`);
}

/** @param text With its code, e.g. `ERR syntax error`. */
export function errorReply(text: string): Uint8Array {
  return bytesOf(`-${text.replace(/[\r\n]/g, ' ')}\r\n`);
}

/** No value. A RESP3 client waits for ever for the rest of RESP2's. */
export function nullReply(version: RespVersion): Uint8Array {
  return encoder.encode(version === 3 ? '_\r\n' : '$-1\r\n');
}

/** No array, in place of one. */
export function nullArrayReply(version: RespVersion): Uint8Array {
  return encoder.encode(version === 3 ? '_\r\n' : '*-1\r\n');
}

/** Text whose characters are bytes. */
export function bulk(text: string): Uint8Array {
  return bytesOf(`$${text.length}\r\n${text}\r\n`);
}

/** A client's own bytes may be part of a reply: each character is one. */
function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  // A loop: Uint8Array.from with a function takes ten times as long.
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The bytes before a bulk string of `size` bytes. */
export function bulkHead(size: number): Uint8Array {
  return encoder.encode(`$${size}\r\n`);
}

export const lineEnd = encoder.encode('\r\n');

/** The bytes before `count` elements. */
export function arrayHead(count: number): Uint8Array {
  return encoder.encode(`*${count}\r\n`);
}

/**
 * The bytes of a command before its last argument, which has `lastSize` bytes and is followed by a line end.
 *
 * @param args Arguments before it, the name included; each character is a byte.
 */
export function commandHead(args: readonly string[], lastSize: number): Uint8Array {
  const words = args.map((text) => `$${text.length}\r\n${text}\r\n`);
  return bytesOf(`*${args.length + 1}\r\n${words.join('')}$${lastSize}\r\n`);
}

/** Text for people: verbatim in RESP3, a bulk string in RESP2. */
export function textReply(version: RespVersion, text: string): Uint8Array {
  return version === 3 ? bytesOf(`=${text.length + 4}\r\ntxt:${text}\r\n`) : bulk(text);
}

/** A value of a map; a list holds texts. */
type MapValue = string | number | readonly string[];

/** Keys and values: a map in RESP3, a flat array in RESP2. */
export function mapReply(
  version: RespVersion,
  entries: readonly (readonly [string, MapValue])[],
): Uint8Array {
  const head = version === 3 ? `%${entries.length}` : `*${2 * entries.length}`;
  const text = (value: string) => `$${value.length}\r\n${value}`;
  const parts = entries.map(([key, value]) => {
    if (typeof value === 'number') return `${text(key)}\r\n:${value}\r\n`;
    if (typeof value === 'string') return `${text(key)}\r\n${text(value)}\r\n`;
    return `${text(key)}\r\n*${value.length}\r\n${value.map((item) => `${text(item)}\r\n`).join('')}`;
  });
  return bytesOf(`${head}\r\n${parts.join('')}`);
}
