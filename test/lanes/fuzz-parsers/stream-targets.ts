// Streams of engines that the router follows, and that another engine's stream continues.

import { FirstEvent } from '../../../src/apps/router/requests/first-event.ts';
import {
  type FollowedStream,
  followStream,
  StreamMemory,
  type StreamPlan,
  UsualEvents,
} from '../../../src/core/migration/index.ts';
import { check, cpuMs, type Target, target } from './target.ts';

const lastChunk = Buffer.from('0\r\n\r\n');
const chatBody = Buffer.from(
  '{"return_token_ids":true,"model":"m","temperature":0,"max_tokens":64,"stream_options":{"include_usage":true}}',
);
const namedBody = Buffer.from('{"model":"m","max_tokens":64,"max_output_tokens":64}');

/** A tokenizer of characters. */
const tokens = {
  isProven: true,
  prove: () => {},
  prompt: () => [1, 2, 3],
  encode: (text: string) => Array.from(text, (one) => one.codePointAt(0) as number),
  idOf: () => undefined,
};

/** Bytes as chunks of HTTP that end after each event, as the router's parser of chunks has checked them. */
function chunksOf(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf('\n\n', at);
    const end = blank < 0 ? bytes.length : blank + 2;
    const data = bytes.subarray(at, end);
    chunks.push(
      Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]),
    );
    at = end;
  }
  return chunks;
}

/** The data of chunks, without those of an end. */
function dataOf(chunks: Buffer): string {
  let text = '';
  for (let at = 0; at < chunks.length; ) {
    const lineEnd = chunks.indexOf('\r\n', at);
    const size = Number.parseInt(chunks.toString('latin1', at, lineEnd), 16);
    check(Number.isInteger(size), 'whole chunks');
    text += chunks.toString('latin1', lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
  return text;
}

/** Follows one stream: whole or in reads of so many chunks, and the same one again from another engine. */
class Follower {
  readonly #plan: StreamPlan;
  readonly #chunks: readonly Buffer[];
  /** The longest time on the processor that one read of the router took. */
  longestMs = 0;

  constructor(plan: StreamPlan, bytes: Buffer) {
    this.#plan = plan;
    this.#chunks = [...chunksOf(bytes), lastChunk];
  }

  follow(chunksPerRead: number, isContinued: boolean): string {
    const { kind } = this.#plan;
    const budget = new StreamMemory();
    const stream = followStream(this.#plan, budget, new UsualEvents());
    let seen = this.#read(stream, chunksPerRead, isContinued);
    for (let i = 0; i < 2 && isContinued; i++) {
      if (stream.closing(true) !== undefined) break;
      const body = kind === 'messages' || kind === 'responses' ? namedBody : chatBody;
      const continuation = this.#timed(() => stream.continuation(body, tokens));
      if (typeof continuation === 'string') break;
      stream.continueAt();
      seen += this.#read(stream, chunksPerRead, isContinued);
    }
    seen += dataOf(Buffer.from(this.#timed(() => stream.release()) ?? lastChunk));
    stream.close();
    check(budget.bytes === 0, 'all memory returned');
    return seen;
  }

  /** @param leaves Whether an engine that reports a fault is left; otherwise its report is passed on. */
  #read(stream: FollowedStream, chunksPerRead: number, leaves: boolean): string {
    let seen = '';
    for (let at = 0; at < this.#chunks.length; at += chunksPerRead) {
      const bytes = Buffer.concat(this.#chunks.slice(at, at + chunksPerRead));
      const isLast = at + chunksPerRead >= this.#chunks.length;
      const taken = this.#timed(() => stream.take(bytes, true, isLast));
      if (taken !== undefined) seen += dataOf(Buffer.from(taken));
      if (stream.fault === undefined) continue;
      if (leaves) break;
      seen += dataOf(Buffer.from(this.#timed(() => stream.release()) ?? lastChunk));
    }
    return seen;
  }

  #timed<T>(work: () => T): T {
    const startMs = cpuMs();
    const result = work();
    this.longestMs = Math.max(this.longestMs, cpuMs() - startMs);
    return result;
  }
}

function streamTarget(plan: StreamPlan, dictionary: readonly string[]): Target {
  const folder = `stream-${plan.kind}`;
  return target(`stream of ${plan.kind}`, {
    ...{ form: 'text', weight: 2, folder, dictionary, bytesMax: 16 * 1024, refusals: [] },
    run: async (bytes) => {
      const follower = new Follower(plan, bytes);
      const whole = follower.follow(Number.POSITIVE_INFINITY, false);
      const pieces = follower.follow(1 + (bytes.length % 5), false);
      // What is withheld after a fault is read as text, and without hidden ids, which later reads have.
      const hasIds = plan.hidesIds && /abort|error/.test(bytes.toString('latin1'));
      check(hasIds || !isUtf8(bytes) || whole === pieces, 'the same stream, however it is read');
      // What is not rewritten must pass byte for byte; the ids of tokens are overwritten.
      if (!plan.hidesIds && isUtf8(bytes)) check(whole === bytes.toString('latin1'), 'all bytes');
      follower.follow(Number.POSITIVE_INFINITY, true);
      return follower.longestMs;
    },
  });
}

/** Whether no byte is lost when an event is read as text. */
function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString()).equals(bytes);
}

const ends = [
  '\n\n',
  '\n',
  'data: ',
  'data: [DONE]\n\n',
  ': ping\n\n',
  '\u2028',
  '{"error":{"code":500}}',
];
const chatWords = [
  ...ends,
  ...['"token_ids":[1]', '"token_ids":null', '"prompt_token_ids":[1,2]', '"finish_reason":"stop"'],
  ...['"finish_reason":"abort"', '"choices":[]', '"delta":{"role":"assistant"}', '"index":1'],
  ...[
    '"usage":{"prompt_tokens":3,"completion_tokens":1}',
    '"tool_calls":[{"index":0}]',
    '"reasoning":"a"',
  ],
];
const namedWords = [
  ...ends,
  ...['event: error\n', '"type":"error"', '"index":0', '"output_index":1', '"sequence_number":1e9'],
  ...[
    '"stop_reason":null',
    '"delta":""',
    '"type":"content_block_stop"',
    '"type":"response.failed"',
  ],
  ...['"usage":{"input_tokens":3}', '"content_block":null', '"response":null', '"item":[]'],
];

export const streamTargets: readonly Target[] = [
  streamTarget({ kind: 'chat', hidesIds: true }, chatWords),
  streamTarget({ kind: 'completion', hidesIds: false }, chatWords),
  streamTarget({ kind: 'messages', hidesIds: false }, namedWords),
  streamTarget({ kind: 'responses', hidesIds: false }, namedWords),
  target('first event of a stream', {
    ...{ form: 'text', weight: 2, folder: 'sse', refusals: [] },
    dictionary: [
      'data: {"error":',
      'event: error\n',
      '"code":429',
      '"type":"overloaded_error"',
      '\n\n',
      '\r',
    ],
    run: (bytes) => {
      const statusOf = (pieceBytes: number) => {
        const first = new FirstEvent({ framing: 'until-close' } as never);
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          const piece = bytes.subarray(at, at + pieceBytes);
          if (first.take(piece, at + pieceBytes >= bytes.length, 0) !== undefined) break;
        }
        return first.errorStatus;
      };
      const status = statusOf(bytes.length || 1);
      check(status === undefined || (status >= 400 && status <= 599), 'a status of an error');
      // Each piece is read again with those before it: small ones would add up over the reads of a connection.
      statusOf(256 + (bytes.length % 997));
    },
  }),
];
