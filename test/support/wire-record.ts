// Sends the recorded requests byte by byte, over its own sockets, and records the responses.
import { connect } from 'node:net';

/** A request of the recordings. */
export interface WireCase {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | null>> | null;
  readonly body?: unknown;
  readonly body_b64?: string;
  /** The whole request as sent; `{HOST}` stands for the server. */
  readonly raw?: unknown;
  readonly server?: string;
  /** Paths whose values are free, or must be equal. */
  readonly loose?: readonly string[];
  readonly exact?: readonly string[];
  /** Recorded for reading; not compared. */
  readonly reference?: boolean;
}

/** A response in the form of the recordings. */
export interface WireAnswer {
  readonly id: string;
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly sse?: readonly string[];
  readonly sse_tail?: string;
}

/** Sends one case on its own connection. @param timeoutMs Maximum time without data. */
export async function record(one: WireCase, url: string, timeoutMs = 10_000): Promise<WireAnswer> {
  const { hostname, port, host } = new URL(url);
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect(Number(port), hostname);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`${one.id}: no answer`)));
    socket.on('data', (part) => parts.push(part));
    socket.once('end', () => socket.end());
    socket.once('close', () => resolve(Buffer.concat(parts)));
    socket.once('error', reject);
    socket.write(requestBytes(one, host));
  });
  return { id: one.id, ...parseAnswer(bytes, one.method) };
}

function requestBytes(one: WireCase, host: string): Buffer {
  if (one.raw != null) {
    return Buffer.from(String(expand(one.raw)).replaceAll('{HOST}', host), 'latin1');
  }
  const headers = new Map([
    ['Host', host],
    ['User-Agent', 'wire-recorder'],
    ['Accept', '*/*'],
    ['Connection', 'close'],
  ]);
  let body = Buffer.alloc(0);
  if (one.body != null) {
    const expanded = expand(one.body);
    const isText = typeof expanded === 'string';
    body = Buffer.from(isText ? expanded : JSON.stringify(expanded));
    if (!isText) headers.set('Content-Type', 'application/json');
  }
  if (one.body_b64 !== undefined) body = Buffer.from(one.body_b64, 'base64');
  if (body.length > 0 || ['POST', 'PUT', 'PATCH'].includes(one.method)) {
    headers.set('Content-Length', `${body.length}`);
  }
  for (const [name, value] of Object.entries(one.headers ?? {})) {
    for (const old of headers.keys()) {
      if (old.toLowerCase() === name.toLowerCase()) headers.delete(old);
    }
    if (value !== null) headers.set(name, value);
  }
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `${one.method} ${one.path} HTTP/1.1\r\n${lines}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

/** Macros that keep the cases small: {"$repeat": [text, n]} and {"$ids": [id, n]}. */
export function expand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expand);
  if (typeof value !== 'object' || value === null) return value;
  const { $repeat: repeat, $ids: ids } = value as Record<string, readonly [never, number]>;
  if (repeat) return String(repeat[0]).repeat(repeat[1]);
  if (ids) return Array.from({ length: ids[1] }, () => ids[0]);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, expand(one)]));
}

function parseAnswer(bytes: Buffer, method: string): Omit<WireAnswer, 'id'> {
  const end = bytes.indexOf('\r\n\r\n');
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = lines.map((line) => {
    const at = line.indexOf(':');
    return [line.slice(0, at), line.slice(at + 1).trim()] as const;
  });
  const named = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
  const rest = bytes.subarray(end + 4);
  const isChunked = named.get('transfer-encoding')?.toLowerCase() === 'chunked';
  const payload = method === 'HEAD' ? Buffer.alloc(0) : isChunked ? unchunk(rest) : rest;
  const status = Number(first.split(' ')[1]);
  const text = payload.toString();
  if (!named.get('content-type')?.startsWith('text/event-stream')) {
    return { status, headers, body: text };
  }
  const events = text.split('\n\n');
  const tail = events.pop();
  return { status, headers, sse: events, ...(tail && { sse_tail: tail }) };
}

function unchunk(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    if (lineEnd === -1 || !(length > 0)) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}
