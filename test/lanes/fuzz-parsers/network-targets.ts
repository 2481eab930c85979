// What other servers send: replies of cache servers, traces of callers, Kubernetes, LMCache's servers, traces of traffic.
import { ZodError } from 'zod';
import { ManualClock, SpillwayError, seededRandom } from '../../../src/core/base/index.ts';
import {
  ClusterProtocolError,
  enginesOfPods,
  parseListPage,
  parseWatchEvent,
  readEnginePod,
  readEngineService,
  readServiceSlice,
  WatchedList,
} from '../../../src/core/kubernetes/index.ts';
import { readLmReply } from '../../../src/core/lm/index.ts';
import {
  ChunkDirectory,
  decodeWorkerMessage,
  encodeLmcacheMessage,
  handlePushed,
  handleRequest,
  WorkerRegistry,
} from '../../../src/core/lmcache/index.ts';
import { ReplyReader, RespSyntaxError } from '../../../src/core/resp/index.ts';
import {
  formatTraceparent,
  joinTraceState,
  parseTraceparent,
} from '../../../src/core/telemetry/index.ts';
import { parseTrace } from '../../../src/core/traces/index.ts';
import { coordinatorRequests } from '../../../src/io/lmcache-coordinator/coordinator-requests.ts';
import { refusalOf } from '../../../src/io/otlp/export-response.ts';
import { check, jsonTokens, pieceBytesOf, sameInPieces, type Target, target } from './target.ts';

const clock = new ManualClock();
const objectTokens = [
  ...jsonTokens,
  ...[
    '\n',
    '"type":"ADDED"',
    '"type":"DELETED"',
    '"type":"BOOKMARK"',
    '"type":"ERROR"',
    '"code":410',
  ],
  ...[
    '"metadata":{"name":"a"}',
    '"resourceVersion":"7"',
    '"items":null',
    '"continue":"x"',
    '"podIP":',
  ],
];

/** What a client of Redis makes of replies in pieces. */
function repliesOf(bytes: Buffer, pieceBytes: number): string {
  const seen: string[] = [];
  let value: number | undefined;
  let received = 0;
  const reader = new ReplyReader({
    line: (type, text) => seen.push(type + text),
    none: () => seen.push('none'),
    value: (size) => {
      [value, received] = [size, 0];
    },
    bytes: (part) => {
      received += part.length;
      check(received <= (value ?? -1), 'no more bytes than the value has');
    },
    end: () => seen.push(`${value} ${received}`),
  });
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      reader.push(bytes.subarray(at, at + pieceBytes), () => false);
    }
  } catch (error) {
    if (!(error instanceof RespSyntaxError)) throw error;
    seen.push('refused');
  }
  return seen.join('\n');
}

export const networkTargets: readonly Target[] = [
  target('replies of Redis servers', {
    ...{ form: 'binary', weight: 3, folder: 'resp-replies', bytesMax: 200_000, refusals: [] },
    dictionary: [
      ...[
        '+OK\r\n',
        '-ERR x\r\n',
        ':9\r\n',
        '$3\r\nabc\r\n',
        '$-1\r\n',
        '_\r\n',
        '*2\r\n',
        '%1\r\n',
        `$70000\r\n${'v'.repeat(70_000)}\r\n`,
      ],
      ...['$9223372036854775807\r\n', '$-2\r\n', '$ 3\r\n', '\r\n', '\n', '\0'],
    ],
    run: (bytes) => sameInPieces(bytes, pieceBytesOf(bytes, 97), repliesOf),
  }),
  target('replies of lm:// servers', {
    ...{
      form: 'binary',
      weight: 1,
      folder: 'lm-replies',
      bytesMax: 4096,
      refusals: [RangeError, SpillwayError],
    },
    dictionary: ['\xc8\0\0\0', '\x90\x01\0\0', '\xff\xff\xff\xff', '\0\0\0\x80', ' '.repeat(28)],
    run: (bytes) => {
      if (bytes.length < 36) return;
      check(Number.isInteger(readLmReply(bytes.subarray(0, 36)).length), 'a length');
    },
  }),
  target('messages of LMCache’s workers', {
    ...{ form: 'binary', weight: 4, folder: 'lmcache-workers', bytesMax: 8192 },
    ...{ refusals: [SpillwayError] },
    dictionary: [
      ...['\xa4type', '\xabinstance_id', '\xa9worker_id', '\xa8location', '\xaaoperations'],
      ...['\xa7op_type', '\xa5admit', '\xa5evict', '\xa3key', '\xa7seq_num', '\xa4keys'],
      ...['\xa7sync_id', '\xabbatch_count', '\xa8batch_id', '\xacHeartbeatMsg', '\xabRegisterMsg'],
      ...['\xb5BatchedKVOperationMsg', '\xb0FullSyncStartMsg', '\xb0FullSyncBatchMsg'],
      ...[
        '\xcf\xff\xff\xff\xff\xff\xff\xff\xff',
        '\xd3\x80\0\0\0\0\0\0\0',
        '\xdd\xff\xff\xff\xff',
        '\xc0',
      ],
    ],
    run: (bytes) => {
      const registry = new WorkerRegistry({ chunksMax: 100 });
      const message = decodeWorkerMessage(bytes);
      // As a worker that is known, and one that is not.
      for (const type of ['HeartbeatMsg', message.type, 'FullSyncStatusMsg', 'DeRegisterMsg']) {
        encodeLmcacheMessage(handleRequest(registry, { ...message, type }, 0, undefined));
        handlePushed(registry, { ...message, type }, 0);
        check(registry.stats.chunks <= 100, 'chunks within the bound');
      }
      registry.match(message.keys);
      check(registry.workers.length === 0 && registry.stats.chunks === 0, 'nothing left behind');
    },
  }),
  target('trace of a caller', {
    ...{ form: 'text', weight: 4, folder: 'trace-context', refusals: [] },
    dictionary: [
      '00-',
      '-01',
      '-ff',
      '0'.repeat(32),
      '0af7651916cd43dd8448eb211c80319c',
      ',',
      '=',
      '@',
      '\n',
      ' ',
    ],
    run: (bytes) => {
      const [parent = '', ...states] = bytes.toString('latin1').split('\n');
      const context = parseTraceparent(parent);
      if (context !== undefined) {
        const { traceId, spanId, isSampled } = context;
        check(/^[\da-f]{32}$/.test(traceId) && /[^0]/.test(traceId), 'an id of a trace');
        check(/^[\da-f]{16}$/.test(spanId) && /[^0]/.test(spanId), 'an id of a span');
        check(
          parseTraceparent(formatTraceparent(traceId, spanId, isSampled)) !== undefined,
          'a header again',
        );
      }
      const joined = joinTraceState(states);
      if (joined === undefined) return;
      check(/^[\x20-\x7e]{1,512}$/.test(joined), 'a header without line ends');
      check(joinTraceState([joined]) === joined, 'the same header again');
    },
  }),
  target('responses of collectors', {
    ...{ form: 'binary', weight: 2, folder: 'export-response', refusals: [] },
    dictionary: [
      ...['\x0a', '\x08', '\x12', '\x0b', '\x39', '\x3d', '\x0a\x00', '\x0a\x02\x08\x03'],
      ...['\xff\xff\xff\xff\x0f', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01', '\x80'.repeat(10)],
    ],
    run: (bytes) => {
      const { spans, why } = refusalOf(bytes);
      check(Number.isInteger(spans) && spans >= 0 && spans < 2 ** 63, 'a number of spans');
      check(why.length <= bytes.length, 'a reason from the response');
    },
  }),
  target('lists and watches of Kubernetes', {
    ...{ form: 'json', weight: 3, folder: 'kubernetes', dictionary: objectTokens },
    refusals: [ClusterProtocolError],
    run: (bytes) => {
      const text = bytes.toString();
      const list = new WatchedList<ReturnType<typeof readEnginePod>>({
        clock,
        random: seededRandom(1),
      });
      list.next();
      if (text.includes('"items"')) list.addPage(parseListPage(text, readEnginePod));
      for (const line of text.split('\n')) {
        if (line === '') continue;
        parseWatchEvent(line, readEngineService);
        parseWatchEvent(line, readServiceSlice);
        list.apply(parseWatchEvent(line, readEnginePod));
      }
      enginesOfPods(list.objects.values(), 8000, true);
    },
  }),
  target('events of LMCache’s servers', {
    ...{
      form: 'json',
      weight: 2,
      folder: 'coordinator',
      dictionary: jsonTokens,
      bytesMax: 64 * 1024,
    },
    refusals: [ZodError, SyntaxError],
    run: (bytes) => {
      const body: unknown = JSON.parse(bytes.toString());
      const directory = new ChunkDirectory();
      const instance = coordinatorRequests.instance.safeParse(body);
      if (instance.success) directory.register(instance.data, 0);
      coordinatorRequests.lookup.safeParse(body);
      directory.apply(coordinatorRequests.events.parse(body).batches, 0);
    },
  }),
  target('traces of traffic', {
    ...{ form: 'text', weight: 1, folder: 'traces', bytesMax: 64 * 1024 },
    dictionary: [
      ...jsonTokens,
      '"hash_ids":[',
      '"timestamp":',
      'TIMESTAMP,ContextTokens,GeneratedTokens\n',
      '2023-11-16 18:17:03.9799600,1,2\n',
    ],
    refusals: [SpillwayError],
    run: (bytes) => {
      parseTrace(bytes.toString().split('\n'), { file: 'a trace', blockTokens: 512 });
    },
  }),
];
