// The client, in a separate process: keeps a number of requests in flight and counts the responses.
//
//   node bench/engine/load.ts '{"port":9200,"connections":64,"seconds":4,"fields":{"max_tokens":20}}'
//
// It uses plain sockets, so that it costs less than the engine. Prints one JSON line.
import { connect, type Socket } from 'node:net';
import { AnswerEnd } from './answer-end.ts';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** Fields of the request's body in addition to its messages. */
  readonly fields: { readonly max_tokens: number; readonly stream?: boolean };
}

export interface LoadResult {
  /** Number of responses that ended in time. */
  readonly requests: number;
  /** Number of server-sent events that arrived in time. */
  readonly events: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Time between two reads of one stream, 99th percentile. */
  readonly gapP99Ms: number;
}

const prompts = 64;
const eventStart = Buffer.from('data: {');

if (import.meta.main) {
  const options = JSON.parse(process.argv[2] ?? '') as LoadOptions;
  console.log(JSON.stringify(await run(options)));
  process.exit();
}

async function run(options: LoadOptions): Promise<LoadResult> {
  const bodies = Array.from({ length: prompts }, (_, i) => requestBytes(options, i));
  const counts = { requests: 0, events: 0, errors: 0 };
  const latencies: number[] = [];
  const gaps: number[] = [];
  const startMs = performance.now();
  let next = 0;
  const sockets = Array.from({ length: options.connections }, () => {
    const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true });
    let answer = new AnswerEnd();
    let sentMs = 0;
    let readMs = 0;
    const send = () => {
      answer = new AnswerEnd();
      sentMs = performance.now();
      readMs = 0;
      socket.write(bodies[next++ % prompts] as Buffer);
    };
    socket.on('connect', send);
    socket.on('error', () => counts.errors++);
    socket.on('data', (bytes: Buffer) => {
      const nowMs = performance.now();
      if (readMs !== 0) gaps.push(nowMs - readMs);
      readMs = nowMs;
      counts.events += countEvents(bytes);
      if (!answer.push(bytes)) return;
      if (answer.isOk) counts.requests++;
      else counts.errors++;
      latencies.push(nowMs - sentMs);
      send();
    });
    return socket;
  });
  await new Promise((resolve) => setTimeout(resolve, options.seconds * 1000));
  const seconds = (performance.now() - startMs) / 1000;
  for (const socket of sockets) (socket as Socket).destroy();
  return {
    ...counts,
    seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    gapP99Ms: percentile(gaps, 0.99),
  };
}

function countEvents(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(eventStart); at !== -1; at = bytes.indexOf(eventStart, at + 7)) {
    count++;
  }
  return count;
}

/** A chat of some 30 prompt tokens. */
function requestBytes({ port, fields }: LoadOptions, index: number): Buffer {
  const content = `Question ${index}: what would a careful engineer write about the sea, the wind and the tides?`;
  const body = JSON.stringify({
    ...{ model: 'bench', messages: [{ role: 'user', content }], ignore_eos: true },
    ...fields,
  });
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function percentile(values: number[], share: number): number {
  const sorted = values.sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
