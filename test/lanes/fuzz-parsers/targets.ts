// The parsers of bytes from outside: what feeds each one, and which errors are its refusals.
import { FrameworkError } from '../../../src/apps/engine/http/framework-error.ts';
import { parseOwnBody } from '../../../src/apps/engine/http/parse-body.ts';
import { usageNear } from '../../../src/apps/router/requests/usage.ts';
import { parseDynamicConfig } from '../../../src/apps/router/settings/dynamic-config-schema.ts';
import {
  chatRequestOf,
  chatRequestOfResponses,
  checkConstraint,
  constraintOf,
  grammarInstance,
  isTagText,
  readBatchChatRequest,
  readChatRequest,
  readCompletionRequest,
  readCountTokensRequest,
  readDecisionRequest,
  readDerenderChat,
  readGenerateRequest,
  readMessagesRequest,
  readResponsesRequest,
  readScoringRequest,
  readTokenizeRequest,
  regexInstance,
  schemaFault,
} from '../../../src/core/api/index.ts';
import { SpillwayError } from '../../../src/core/base/index.ts';
import { KvIndex } from '../../../src/core/kv/index.ts';
import {
  decodeKvEventBatch,
  kvEventEndpoints,
  metricSums,
  parseEngineReport,
  RequestFieldsReader,
} from '../../../src/core/protocol/index.ts';
import { Tokenizer, type TokenizerJson } from '../../../src/core/tokenizer/index.ts';
import { resolveValues } from '../../../src/core/values/index.ts';
import { JsonShapeError, parseRouterView } from '../../../src/core/views/index.ts';
import { LineReader } from '../../../src/io/attempt-updates/line-reader.ts';
import {
  parseUpdateLine,
  UpdateSyntaxError,
} from '../../../src/io/attempt-updates/update-lines.ts';
import { parseEnginesFile } from '../../../src/io/endpoints/engines-file-schema.ts';
import { formField } from '../../../src/io/forms/index.ts';
import { ChunkedReader } from '../../../src/io/http/chunked-reader.ts';
import { parseRequestHead } from '../../../src/io/http/request-head.ts';
import { parseResponseHead } from '../../../src/io/http/response-head.ts';
import { HttpSyntaxError } from '../../../src/io/http/syntax-error.ts';
import {
  checkGreeting,
  FrameDecoder,
  greetingBytes,
  parseCommand,
  parseMetadata,
} from '../../../src/io/zmq/zmtp.ts';
import { SseReader } from '../../../src/tools/benchmark/sse-reader.ts';
import { administrationTargets } from './administration-targets.ts';
import { lmReplies, respReplies } from './cache-conversations.ts';
import { networkTargets } from './network-targets.ts';
import { streamTargets } from './stream-targets.ts';
import {
  check,
  jsonTokens,
  pieceBytesOf,
  sameInPieces,
  type Target,
  target,
  turnOfLoop,
} from './target.ts';

const headTokens = [
  ...[
    '\r\n',
    '\r\n\r\n',
    '\n',
    '\r',
    ' ',
    '\t',
    ':',
    'GET ',
    'POST ',
    ' HTTP/1.1\r\n',
    'HTTP/1.0 200 OK\r\n',
  ],
  ...[
    'Content-Length: 5\r\n',
    'Content-Length: 05\r\n',
    'Content-Length: 5, 5\r\n',
    'Content-Length: +5\r\n',
  ],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
    'Transfer-Encoding : chunked\r\n',
  ],
  ...[
    'Transfer-Encoding: identity\r\n',
    'Connection: close, keep-alive\r\n',
    'Expect: 100-continue\r\n',
  ],
  ...[
    'Host: a\r\n',
    'Host: [::1]:80\r\n',
    'X: \0\r\n',
    ' folded\r\n',
    'http://a/',
    '/../',
    '%2e%2e',
    '//',
  ],
];
const yamlTokens = [
  ...[
    '\n',
    '  ',
    '- ',
    ': ',
    '&a ',
    '*a',
    '<<: *a',
    '|\n',
    '>-\n',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    '#',
    '---\n',
  ],
  ...[
    '!!binary ',
    '? ',
    '%YAML 1.2\n',
    '\t',
    'null',
    '~',
    '.inf',
    '0o7',
    '__proto__: ',
    '*a *a *a',
    '[*a,*a,*a]',
  ],
];
const regexTokens = [
  ...[
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '{1000}',
    '{1,100000}',
    '{,}',
    '*',
    '+',
    '?',
    '|',
    '\\d',
    '\\p{L}',
    '\\',
    '^',
    '$',
  ],
  ...[
    '(?:',
    '(?=',
    '(?<a>',
    '[^',
    '-',
    '\\u{1F600}',
    '.',
    '(a*)*',
    '((((',
    '\\1',
    '&&',
    '[[a]--[b]]',
  ],
];
/** Files of the operator: YAML of 16 KiB takes up to 100 ms, which only delays their own start or change. */
const ownFileBytesMax = 4_096;
const engineRefusals = [SpillwayError, FrameworkError];

/** Parses a body as the embedded engine does, then reads it as a request of that route. */
function engineBody(name: string, weight: number, read: (body: unknown) => unknown): Target {
  return target(`engine ${name}`, {
    ...{ form: 'json', weight, folder: `engine-${name}` },
    dictionary: jsonTokens,
    refusals: engineRefusals,
    run: (bytes) => {
      read(parseOwnBody(bytes));
    },
  });
}

const fieldsReader = new RequestFieldsReader({ sessionKey: 'user' });

export const targets: readonly Target[] = [
  target('request head', {
    ...{ form: 'text', weight: 16, folder: 'request-head', dictionary: headTokens },
    refusals: [HttpSyntaxError],
    run: (bytes) => {
      const head = parseRequestHead(bytes, 0, bytes.length);
      if (head === undefined) return;
      check(head.headBytes <= bytes.length, 'the head ends within the bytes');
      // Whether more bytes follow must not matter, or two servers could see different requests.
      const alone = parseRequestHead(bytes, 0, head.headBytes);
      check(
        alone?.headBytes === head.headBytes,
        'the head ends at the same place without its body',
      );
      check(head.contentLength >= -1 && Number.isSafeInteger(head.contentLength), 'a length');
      const early = parseRequestHead(bytes, 0, head.headBytes - 1);
      check(early === undefined, 'a head without its last byte is incomplete');
    },
  }),
  target('response head', {
    ...{ form: 'text', weight: 10, folder: 'response-head', dictionary: headTokens },
    refusals: [HttpSyntaxError],
    run: (bytes) => {
      const head = parseResponseHead(bytes, 0, bytes.length, false);
      if (head === undefined) return;
      check(head.headBytes <= bytes.length, 'the head ends within the bytes');
      check(head.status >= 100 && head.status <= 999, 'a status');
    },
  }),
  target('chunked body', {
    ...{ form: 'text', weight: 12, folder: 'chunked' },
    dictionary: [
      '0\r\n\r\n',
      '\r\n',
      '5\r\n',
      'ffffffffffff\r\n',
      ';a=b',
      ';',
      'A: b\r\n',
      '0',
      '-1',
      ' ',
    ],
    refusals: [HttpSyntaxError],
    run: (bytes) => sameInPieces(bytes, 1 + (bytes.length % 7), readChunks),
  }),
  target('request fields', {
    ...{ form: 'json', weight: 14, folder: 'request-fields', dictionary: jsonTokens },
    refusals: [SpillwayError],
    run: (bytes) => {
      const { model } = fieldsReader.read(bytes);
      let parsed: unknown;
      try {
        parsed = JSON.parse(utf8.decode(bytes));
      } catch {
        // The engine refuses it.
        return;
      }
      const { model: expected } = parsed as { readonly model?: unknown };
      if (typeof expected === 'string') check(model === expected, 'the same model as JSON.parse');
    },
  }),
  target('form', {
    ...{ form: 'text', weight: 0.4 },
    dictionary: [
      ...[
        '--x\r\n',
        '--x--\r\n',
        '\r\n\r\n',
        '\r\n',
        'Content-Disposition: form-data; name="model"\r\n\r\n',
      ],
      ...[
        '; filename="a"',
        "; filename*=UTF-8''%zz",
        '; name=',
        '"',
        '\\"',
        'Content-Type: text/plain; charset=utf-16\r\n',
      ],
      ...['Content-Transfer-Encoding: base64\r\n'],
    ],
    refusals: [],
    run: async (bytes) => {
      await formField(bytes, 'multipart/form-data; boundary=x', 'model');
    },
  }),
  target('usage of a response', {
    ...{ form: 'text', weight: 4, folder: 'sse' },
    dictionary: [
      '"usage":',
      '{"prompt_tokens":',
      '"cached_tokens":',
      '9'.repeat(20),
      'data: ',
      '\n\n',
    ],
    refusals: [],
    run: (bytes) => {
      usageNear(bytes);
    },
  }),
  target('event stream', {
    ...{ form: 'text', weight: 4, folder: 'sse' },
    dictionary: [
      'data: ',
      'data:',
      '\n',
      '\r\n',
      '\n\n',
      ': ping\n\n',
      'event: x\n',
      '[DONE]',
      '\r',
    ],
    refusals: [RangeError],
    run: (bytes) => sameInPieces(bytes, 1 + (bytes.length % 13), eventsOf),
  }),
  target('KV events', {
    ...{ form: 'binary', weight: 8, folder: 'kv-events' },
    dictionary: [
      ...[
        '\xdc\xff\xff',
        '\xdd\xff\xff\xff\xff',
        '\xdf\xff\xff\xff\xff',
        '\xc4\x01',
        '\xc6\xff\xff\xff\xff',
        '\x93',
        '\x80',
      ],
      ...[
        '\xc0',
        '\xc1',
        '\xcb\x7f\xf8\0\0\0\0\0\0',
        '\xcf\xff\xff\xff\xff\xff\xff\xff\xff',
        '\xd3\x80\0\0\0\0\0\0\0',
      ],
      ...[
        '\xabBlockStored',
        '\xacBlockRemoved',
        '\xb1AllBlocksCleared',
        '\xa4type',
        '\xd9\xff',
        '\x91\x91\x91\x91',
      ],
    ],
    refusals: [SpillwayError],
    run: (bytes) => {
      const { events } = decodeKvEventBatch(bytes);
      new KvIndex().apply('http://e', events);
    },
  }),
  target('ZeroMQ frames', {
    ...{ form: 'binary', weight: 6, folder: 'zmtp' },
    dictionary: [
      ...[
        '\0\0',
        '\x01\xff',
        '\x02\0\0\0\0\xff\xff\xff\xff',
        '\x04\x05\x04PING',
        '\x04\x06\x05READY',
        '\x0bSocket-Type',
      ],
      ...[
        '\xff\0\0\0\0\0\0\0\x01\x7f\x03',
        'NULL',
        'CURVE',
        '\xff\xff\xff\xff',
        '\x06\0\0\0\0\0\0\0\x02',
      ],
    ],
    refusals: [SpillwayError],
    run: (bytes) => sameInPieces(bytes, 61, framesOf),
  }),
  target('Redis clients', {
    // Values above 64 KiB are streamed.
    ...{ form: 'binary', weight: 2, folder: 'resp', bytesMax: 200_000 },
    dictionary: [
      ...[
        '\r\n',
        '*',
        '$',
        '*-1\r\n',
        '$-1\r\n',
        '*2147483648\r\n',
        '$536870912\r\n',
        '"',
        "'",
        '\\x',
      ],
      ...['*1\r\n$4\r\nPING\r\n', '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n', 'HELLO 3\r\n', 'RESET\r\n'],
      ...['SCAN 0 MATCH *a*b COUNT 9\r\n', 'SET k v PXAT 9\r\n', 'QUIT\r\n', 'FLUSHALL\r\n'],
      ...['GETRANGE k -9 9223372036854775807\r\n', 'EXPIRE k -1 GT\r\n', 'MGET k k k\r\n'],
    ],
    refusals: [],
    run: async (bytes) => {
      // One client in four has a password to give.
      const password = bytes.length % 4 === 0 ? 'secret' : undefined;
      const whole = await respReplies(bytes, bytes.length, password);
      const pieces = await respReplies(bytes, pieceBytesOf(bytes, 997), password);
      check(whole.text === pieces.text, 'the same replies, however the bytes are split');
      await turnOfLoop();
      return Math.max(whole.longestMs, pieces.longestMs);
    },
  }),
  target('clients of lm://', {
    ...{ form: 'binary', weight: 2, folder: 'lm', bytesMax: 72_000 },
    dictionary: [
      ...['\x01\0\0\0', '\x02\0\0\0', '\x03\0\0\0', '\x04\0\0\0', '\x05\0\0\0', '\xff\xff\xff\x7f'],
      ...['\0\0\0\0', '\xff\xff\xff\xff', '\0\0\x01\0', ' '.repeat(150), ' '.repeat(186)],
    ],
    refusals: [],
    run: async (bytes) => {
      const longestMs = sameInPieces(bytes, pieceBytesOf(bytes, 509), lmReplies);
      await turnOfLoop();
      return longestMs;
    },
  }),
  target('addresses of KV events', {
    ...{ form: 'json', weight: 2, folder: 'kv-event-sources', dictionary: jsonTokens },
    refusals: [SyntaxError],
    run: (bytes) => {
      kvEventEndpoints(JSON.parse(bytes.toString()), '10.0.0.7');
    },
  }),
  target('metrics page', {
    ...{ form: 'text', weight: 4, folder: 'metrics' },
    dictionary: [
      ...[
        '\n',
        '{',
        '}',
        '"',
        ',',
        ' ',
        '# HELP ',
        '# TYPE ',
        'vllm:num_requests_running',
        'vllm:cache_config_info{',
      ],
      ...[
        'num_gpu_blocks="',
        'block_size="',
        'NaN',
        '+Inf',
        '1e309',
        '__proto__ 1\n',
        'constructor 1\n',
        ' 1 1700000000000',
      ],
    ],
    refusals: [],
    run: (bytes) => {
      const page = bytes.toString();
      const report = parseEngineReport(page);
      const counts = Object.values(report).filter((value) => value !== undefined);
      check(counts.every(Number.isFinite), 'only finite numbers');
      metricSums(page);
    },
  }),
  target('updates of peer routers', {
    ...{
      form: 'text',
      weight: 8,
      folder: 'attempt-updates',
      dictionary: [...jsonTokens, '"kind":"sent"', '"blocks":{'],
    },
    refusals: [UpdateSyntaxError],
    run: (bytes) => {
      const reader = new LineReader();
      for (let at = 0; at < bytes.length; at += 4_096) {
        reader.read(bytes.subarray(at, at + 4_096), parseUpdateLine);
      }
    },
  }),
  target('dynamic configuration', {
    ...{
      form: 'text',
      weight: 0.6,
      folder: 'dynamic-config',
      bytesMax: ownFileBytesMax,
      dictionary: yamlTokens,
    },
    refusals: [SpillwayError],
    run: (bytes) => {
      parseDynamicConfig(bytes.toString(), 'config.yaml', baseSettings, 'static');
    },
  }),
  target('engines file', {
    ...{
      form: 'text',
      weight: 0.6,
      folder: 'engines-file',
      bytesMax: ownFileBytesMax,
      dictionary: yamlTokens,
    },
    refusals: [SpillwayError],
    run: (bytes) => {
      parseEnginesFile(bytes.toString(), 'engines.yaml');
    },
  }),
  target('values file', {
    ...{
      form: 'text',
      weight: 0.1,
      folder: 'values',
      bytesMax: ownFileBytesMax,
      dictionary: yamlTokens,
    },
    refusals: [SpillwayError],
    run: (bytes) => {
      resolveValues({ files: [{ name: 'values.yaml', text: bytes.toString() }] });
    },
  }),
  target('views of a router', {
    ...{ form: 'json', weight: 1, folder: 'router-view', dictionary: jsonTokens },
    refusals: [JsonShapeError, SyntaxError],
    run: (bytes) => {
      parseRouterView(bytes.toString());
    },
  }),
  target('tokenizer file', {
    ...{ form: 'json', weight: 0.2, folder: 'tokenizer', dictionary: jsonTokens },
    // A file of the model: whoever loads it reports any error with the file's name.
    refusals: [SpillwayError, SyntaxError, TypeError],
    run: (bytes) => {
      new Tokenizer({ tokenizer: JSON.parse(bytes.toString()) as TokenizerJson }).encode('ab a');
    },
  }),
  engineBody('chat', 2, (body) => {
    const request = readChatRequest(body);
    checkConstraint(constraintOf(request));
  }),
  engineBody('batch', 0.5, readBatchChatRequest),
  engineBody('completion', 1.5, (body) => {
    const request = readCompletionRequest(body);
    checkConstraint(constraintOf(request));
  }),
  engineBody('messages', 1.5, (body) => chatRequestOf(readMessagesRequest(body))),
  engineBody('count-tokens', 1, readCountTokensRequest),
  engineBody('responses', 1.5, (body) => chatRequestOfResponses(readResponsesRequest(body), [])),
  engineBody('tokenize', 1, readTokenizeRequest),
  engineBody('generate', 1, readGenerateRequest),
  engineBody('derender', 1, readDerenderChat),
  engineBody('scoring', 1, readScoringRequest),
  engineBody('decision', 1, readDecisionRequest),
  target('regular expression', {
    ...{ form: 'text', weight: 3, folder: 'regex', dictionary: regexTokens },
    refusals: [SpillwayError],
    run: (bytes) => {
      regexInstance(bytes.toString());
    },
  }),
  target('grammar', {
    ...{ form: 'text', weight: 2, folder: 'grammar' },
    dictionary: [...regexTokens, 'root ::= ', ' ::= ', '"a"', '\n', 'start: ', '/a/', 'root'],
    refusals: [SpillwayError],
    run: (bytes) => {
      grammarInstance(bytes.toString());
    },
  }),
  target('JSON schema', {
    ...{ form: 'json', weight: 2, folder: 'schema', dictionary: jsonTokens },
    refusals: [SpillwayError, SyntaxError],
    run: (bytes) => {
      schemaFault(JSON.parse(bytes.toString()), 'xgrammar');
    },
  }),
  target('structural tag', {
    ...{ form: 'json', weight: 1, folder: 'tag', dictionary: jsonTokens },
    refusals: [SpillwayError],
    run: (bytes) => {
      isTagText(bytes.toString());
    },
  }),
  ...administrationTargets,
  ...streamTargets,
  ...networkTargets,
];

const utf8 = new TextDecoder('utf-8', { fatal: true });

const baseSettings = {
  ...{ engines: undefined, aliases: new Map<string, string>(), policy: 'roundrobin' },
  ...{ sessionKey: undefined, healthIntervalMs: 5_000, healthTimeoutMs: 3_000 },
};

/** The data of a chunked body, or its refusal. */
function readChunks(bytes: Buffer, pieceBytes: number): string {
  const reader = new ChunkedReader();
  const data: Buffer[] = [];
  try {
    for (let at = 0; at < bytes.length && !reader.done; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes);
      reader.read(piece, 0, piece.length, (from, start, end) =>
        data.push(from.subarray(start, end)),
      );
    }
  } catch (error) {
    if (!(error instanceof HttpSyntaxError)) throw error;
    return 'refused';
  }
  return `${reader.done} ${Buffer.concat(data).toString('latin1')}`;
}

function eventsOf(bytes: Buffer, pieceBytes: number): string {
  const events: string[] = [];
  const reader = new SseReader((data) => events.push(data));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    reader.push(bytes, at, Math.min(bytes.length, at + pieceBytes));
  }
  return events.join('\0');
}

/** What a connection would see, as a number: greeting, then frames, then the commands in them. */
function framesOf(bytes: Buffer, pieceBytes: number): number {
  const decoder = new FrameDecoder(1_048_576);
  let seen = 0;
  const note = (value: number) => {
    seen = (Math.imul(seen, 31) + value) | 0;
  };
  let isGreeted = false;
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      decoder.push(bytes.subarray(at, at + pieceBytes));
      if (!isGreeted) {
        const greeting = decoder.take(greetingBytes);
        if (greeting === undefined) continue;
        checkGreeting(greeting);
        isGreeted = true;
      }
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
        note(frame.body.length * 4 + Number(frame.more) * 2 + Number(frame.command));
        for (const byte of frame.body.subarray(0, 64)) note(byte);
        if (!frame.command) continue;
        const { name, data } = parseCommand(frame.body);
        note(name.length);
        if (name === 'READY') note(parseMetadata(data).size);
      }
    }
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    note(1);
  }
  return seen;
}
