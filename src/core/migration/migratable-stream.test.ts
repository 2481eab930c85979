import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { chunkOf } from './event-framing.ts';
import { MigratableStream } from './migratable-stream.ts';
import { StreamMemory } from './stream-memory.ts';
import { UsualEvents } from './usual-event.ts';

const encoder = new TextEncoder();
const prompt = [151644, 872, 198, 9];
/** A response's tokens, with a character of two tokens, an empty one, and ids of one digit. */
const tokens = [10, 2345, 7, 1234, 99, 151643, 42, 3, 777];
const texts = ['Héllo', ' "wörld"', '', '🙂', ':', '\n\n', ' \\', ' token_ids":[5]', '.'];

type Kind = 'chat' | 'completion';

interface Written {
  readonly kind: Kind;
  readonly id: string;
  /** Tokens of the response that the prompt contains. */
  readonly from?: number;
  readonly asksIds?: boolean;
  readonly usage?: boolean;
  readonly continuous?: boolean;
  readonly n?: number;
}

/** A stream as vLLM writes it: events, without framing. */
function events(written: Written): string[] {
  const { kind, id, from = 0, asksIds = true, usage = false, continuous = false } = written;
  const created = id === 'a' ? 1 : 2;
  const object = kind === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  const full = [...prompt, ...tokens.slice(0, from)];
  const ids = (list: readonly number[]) => (asksIds ? list : null);
  const usageOf = (made: number) => ({
    prompt_tokens: full.length,
    total_tokens: full.length + made,
    completion_tokens: made,
  });
  const event = (choices: object[], rest: object = {}, made = 0) =>
    `data: ${JSON.stringify({ id, object, created, model: 'm', choices, ...(continuous && { usage: usageOf(made) }), ...rest })}\n\n`;
  const out: string[] = [];
  if (kind === 'chat') {
    const delta = { role: 'assistant', content: '' };
    const opening = { index: 0, delta, logprobs: null, finish_reason: null };
    out.push(event([opening], { prompt_token_ids: ids(full), prompt_text: null }));
  }
  for (let i = from; i < tokens.length; i++) {
    const isLast = i === tokens.length - 1;
    const reason = isLast ? 'length' : null;
    const own = ids([tokens[i] as number]);
    const text = texts[i] as string;
    const choice =
      kind === 'chat'
        ? {
            ...{ index: 0, delta: { content: text }, logprobs: null, finish_reason: reason },
            ...(isLast && { stop_reason: null }),
            token_ids: own,
          }
        : {
            ...{ index: 0, text, logprobs: null, finish_reason: reason, stop_reason: null },
            ...{ prompt_token_ids: i === from ? ids(full) : null, token_ids: own },
          };
    const print = isLast && !usage ? { system_fingerprint: 'vllm' } : {};
    out.push(event([choice], print, i - from + 1));
  }
  if (usage) {
    const rest = { usage: usageOf(tokens.length - from), system_fingerprint: 'vllm' };
    out.push(event([], rest));
  }
  return [...out, 'data: [DONE]\n\n'];
}

function framed(text: string): Uint8Array {
  const body = encoder.encode(text);
  return Buffer.concat([
    encoder.encode(`${body.length.toString(16)}\r\n`),
    body,
    Buffer.from('\r\n'),
  ]);
}

/** The bytes of a stream on the wire, one chunk per event. */
function wire(written: Written): Uint8Array {
  return Buffer.concat([...events(written).map(framed), Buffer.from('0\r\n\r\n')]);
}

/** Positions between two chunks. */
function boundaries(bytes: Uint8Array): ReadonlySet<number> {
  const found = new Set([0]);
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at);
    at = end + 1 + Number.parseInt(Buffer.from(bytes.subarray(at, end - 1)).toString(), 16) + 2;
    found.add(at);
  }
  return found;
}

/** Passes the first `cut` bytes through `stream`, in reads that end at `reads`. */
function relay(
  stream: MigratableStream,
  bytes: Uint8Array,
  cut = bytes.length,
  reads: readonly number[] = [],
): string {
  const between = boundaries(bytes);
  const ends = [...new Set(reads.map((at) => at % (cut + 1)))].toSorted((a, b) => a - b);
  let out = '';
  let from = 0;
  for (const end of [...ends, cut]) {
    if (end === from) continue;
    // The bytes of a read are valid during the call only.
    const read = Buffer.from(bytes.subarray(from, end));
    const taken = stream.take(read, between.has(end), end === bytes.length);
    out += taken === undefined ? '' : Buffer.from(taken).toString();
    read.fill(0);
    from = end;
  }
  return out;
}

/** The events of a body without its framing, which must be whole. */
function clientEvents(body: string): string[] {
  const bytes = Buffer.from(body);
  let text = '';
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    assert.ok(end > at, `a chunk begins at ${at} of ${JSON.stringify(body)}`);
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
    text += bytes.toString('utf8', end + 2, end + 2 + size);
    assert.equal(bytes.toString('latin1', end + 2 + size, end + 4 + size), '\r\n');
    at = end + 4 + size;
    if (size === 0) break;
  }
  assert.equal(at, bytes.length);
  return text.split('\n\n').slice(0, -1);
}

/** Events as objects, without the differences that a client cannot see. */
function seen(body: string): unknown[] {
  return clientEvents(body).map((event) => {
    assert.match(event, /^data: /);
    return event === 'data: [DONE]' ? event : JSON.parse(event.slice(6));
  });
}

/** Shared by all streams, as in a router. */
const usual = new UsualEvents();

const open = (kind: Kind, hidesIds = true) =>
  new MigratableStream({ kind, hidesIds }, new StreamMemory(), usual);

const bodies: Readonly<Record<Kind, Record<string, unknown>>> = {
  chat: { messages: [{ role: 'user', content: '}' }], max_tokens: 9 },
  completion: { prompt: 'Hi', max_tokens: 9 },
};
const bodyOf = (kind: Kind, more: object = {}) =>
  encoder.encode(JSON.stringify({ model: 'm', stream: true, ...bodies[kind], ...more }));

for (const kind of ['chat', 'completion'] as const) {
  test(`${kind}: the client gets the stream as if no ids had been asked for`, () => {
    const asked = relay(open(kind), wire({ kind, id: 'a', usage: true }));
    const plain = relay(open(kind), wire({ kind, id: 'a', usage: true, asksIds: false }));
    assert.deepEqual(seen(asked), seen(plain));
  });

  test(`${kind}: wherever the stream breaks off, the client gets one unbroken stream`, () => {
    for (const more of [{}, { usage: true }, { usage: true, continuous: true }]) {
      const first = wire({ kind, id: 'a', ...more });
      const rests = tokens.map((_, from) => wire({ kind, id: 'b', from, ...more }));
      const whole = seen(relay(open(kind), first));
      const step = 'usage' in more ? 9 : 4;
      for (let cut = 0; cut < first.length; cut += step) {
        const stream = open(kind);
        let out = relay(stream, first, cut);
        const closing = stream.closing('usage' in more);
        if (closing !== undefined) out += Buffer.from(closing).toString();
        else {
          const next = stream.continuation(bodyOf(kind));
          assert.ok(typeof next === 'object', `${next}`);
          stream.continueAt();
          out += relay(stream, rests[next.sentTokens] as Uint8Array);
        }
        assert.deepEqual(essence(seen(out)), essence(whole), `cut at ${cut}`);
      }
    }
  });
}

interface SeenEvent {
  readonly id: string;
  readonly created: number;
  readonly choices: readonly {
    readonly delta?: {
      readonly role?: string;
      readonly content?: string;
      readonly reasoning?: string;
    };
    readonly text?: string;
    readonly finish_reason: string | null;
  }[];
}

/**
 * What a client makes of events. The fingerprint is not known if the router ends the stream; the id is that of
 * the first engine whose events arrive; a chunk without text may come twice.
 */
function essence(all: readonly unknown[]): unknown[] {
  const heads = new Set<string>();
  const shown = all.flatMap((event): unknown[] => {
    if (typeof event === 'string') return [event];
    const { id, created, ...rest } = event as SeenEvent;
    heads.add(`${id} ${created}`);
    const [choice] = rest.choices;
    const isEmpty =
      choice !== undefined &&
      choice.finish_reason === null &&
      choice.delta?.role === undefined &&
      ['', undefined].includes(choice.delta?.content ?? choice.text) &&
      ['', undefined].includes(choice.delta?.reasoning);
    return isEmpty ? [] : [{ ...rest, system_fingerprint: null }];
  });
  assert.equal(heads.size, 1);
  return shown;
}

test('a stream that breaks several times, in any reads, is one stream', () => {
  const kinds = fc.constantFrom<Kind>('chat', 'completion');
  const cuts = fc.array(fc.nat(4000), { minLength: 1, maxLength: 4 });
  const reads = fc.array(fc.nat(4000), { maxLength: 20 });
  fc.assert(
    fc.property(kinds, cuts, reads, fc.boolean(), (kind, breaks, ends, usage) => {
      const whole = seen(relay(open(kind), wire({ kind, id: 'a', usage })));
      const stream = open(kind);
      let from = 0;
      let out = '';
      for (const [i, at] of breaks.entries()) {
        const bytes = wire({ kind, id: i === 0 ? 'a' : `b${i}`, from, usage });
        const ended = stream.closing(usage);
        if (ended !== undefined) break;
        out += relay(stream, bytes, at % bytes.length, ends);
        if (stream.closing(usage) !== undefined) break;
        const next = stream.continuation(bodyOf(kind));
        assert.ok(typeof next === 'object');
        from = next.sentTokens;
        stream.continueAt();
      }
      const closing = stream.closing(usage);
      out +=
        closing === undefined
          ? relay(stream, wire({ kind, id: 'z', from, usage }), undefined, ends)
          : Buffer.from(closing).toString();
      assert.deepEqual(essence(seen(out)), essence(whole));
    }),
  );
});

/** An event of an engine that tells no token ids. */
const textEvent = (content: string, more: object = {}, index = 0) =>
  `data: ${JSON.stringify({
    ...{ id: 'c', object: 'chat.completion.chunk', created: 3, model: 'm' },
    choices: [{ index, delta: { content }, finish_reason: null, ...more }],
  })}\n\n`;
const finish = textEvent('.', { finish_reason: 'stop' });
const done = 'data: [DONE]\n\n';
const wireOfEvents = (all: readonly string[]) =>
  Buffer.concat([...all.map(framed), Buffer.from('0\r\n\r\n')]);

test('a stream without token ids passes byte for byte, in any reads, and does not move', () => {
  const text = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('"', '\\', '\n\n', '', '🙂'));
  const reads = fc.array(fc.nat(4000), { maxLength: 20 });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 12 }), reads, (all, ends) => {
      const bytes = wireOfEvents([...all.map((one) => textEvent(one)), finish, done]);
      const stream = open('chat');
      assert.equal(relay(stream, bytes, undefined, ends), bytes.toString());
      assert.deepEqual([stream.isDone, stream.shownTokens], [true, 0]);
      assert.equal(stream.continuation(bodyOf('chat')), 'tokens');
    }),
  );
});

test('after the last token of a stream without ids, only its end is missing', () => {
  const bytes = wireOfEvents([textEvent('a'), textEvent('b'), finish, done]);
  const stream = open('chat');
  relay(stream, bytes, bytes.indexOf('e\r\ndata: [DONE]'));
  assert.equal(Buffer.from(stream.closing(false) ?? '').toString(), `e\r\n${done}\r\n0\r\n\r\n`);
  assert.equal(stream.closing(true), undefined);
});

test('an event after usual ones counts: an error, or ids that begin late', () => {
  const before = Array.from({ length: 5 }, (_, i) => textEvent(` w${i}`));
  const stream = open('chat');
  const error = `data: ${JSON.stringify({ error: { message: 'dead', code: 500 } })}\n\n`;
  const out = relay(stream, wireOfEvents([...before, error, done]));
  assert.equal(stream.fault?.message, 'it reported: dead');
  assert.equal(out, Buffer.concat(before.map(framed)).toString());
  const late = textEvent(' late', { token_ids: [51, 52] });
  assert.match(
    relay(open('chat'), wireOfEvents([...before, late, done])),
    / late.*"token_ids":null/,
  );
});

test('a read is usual if it has nothing but events like those before it', () => {
  const stream = open('chat');
  const take = (...events: readonly string[]) => {
    stream.take(Buffer.concat(events.map(framed)), true, false);
    return stream.isUsual;
  };
  take(textEvent('first'));
  assert.equal(take(textEvent('a')), true);
  assert.equal(take(textEvent('b'), textEvent('"error"')), true);
  assert.equal(take(textEvent('c'), finish), false);
  assert.equal(take(textEvent('d')), true);
  const error = `data: ${JSON.stringify({ error: { message: 'dead', code: 500 } })}\n\n`;
  assert.equal(take(textEvent('e'), error), false);
});

test('streams of other engines in between change nothing', () => {
  const models = fc.constantFrom('m', 'a-longer-name', 'ünï');
  const streams = fc.array(fc.tuple(models, fc.boolean(), fc.boolean()), { maxLength: 6 });
  fc.assert(
    fc.property(streams, (all) => {
      const shared = new UsualEvents();
      for (const [model, asksIds, isCompletion] of all) {
        const kind = isCompletion ? 'completion' : 'chat';
        const bytes = Buffer.from(wire({ kind, id: 'a', asksIds }));
        const own = wireOfEvents(
          bytes
            .toString()
            .split(/\r\n/)
            .filter((line) => line.startsWith('data: '))
            .map((line) => line.replace('"model":"m"', `"model":"${model}"`)),
        );
        const [known, alone] = [shared, new UsualEvents()].map((usuals) => {
          const stream = new MigratableStream({ kind, hidesIds: true }, new StreamMemory(), usuals);
          const out = relay(stream, own);
          return [seen(out), stream.shownTokens, stream.isDone];
        });
        assert.deepEqual(known, alone);
      }
    }),
  );
});

test('a response of several choices is not completed when one of them has ended', () => {
  const bytes = wireOfEvents([
    textEvent('a'),
    textEvent('b', {}, 1),
    textEvent('.', { finish_reason: 'stop' }),
    textEvent('c', {}, 1),
  ]);
  const stream = open('chat');
  relay(stream, bytes, bytes.length - 5);
  assert.equal(stream.closing(false), undefined);
  assert.equal(typeof stream.continuation(bodyOf('chat')), 'string');
});

interface Recorded {
  readonly name: string;
  readonly path: string;
  readonly body: object;
  readonly first: string;
  readonly plain: string;
  readonly rests: Readonly<Record<string, string>>;
}

const recordings: readonly Recorded[] = gunzipSync(
  readFileSync(new URL('fixtures/continued-0.32.0.jsonl.gz', import.meta.url)),
)
  .toString()
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

/** A recorded stream on the wire. */
const wireOf = (stream: string) =>
  Buffer.concat([...stream.split(/(?<=\n\n)/).map(framed), Buffer.from('0\r\n\r\n')]);

for (const [at, { name, path, body, first, plain, rests }] of recordings.entries()) {
  const kind = path.includes('chat') ? 'chat' : 'completion';

  test(`real vLLM, ${name}: the ids that the router asks for are not visible`, () => {
    const asked = seen(relay(open(kind), wireOf(first)));
    const without = seen(relay(open(kind), wireOf(plain)));
    const own = (all: readonly unknown[]) =>
      all.map((e) => (typeof e === 'string' ? e : { ...(e as object), id: '', created: 0 }));
    assert.deepEqual(own(asked), own(without));
  });

  test(`real vLLM, ${name}: wherever it breaks off, the client gets one unbroken stream`, () => {
    const bytes = wireOf(first);
    const continued = new Map(
      Object.entries(rests).map(([from, text]) => [Number(from), wireOf(text)]),
    );
    continued.set(0, bytes);
    const whole = essence(seen(relay(open(kind), bytes)));
    const request = encoder.encode(JSON.stringify(body));
    // Together, the recordings have each position within an event.
    for (let cut = at; cut < bytes.length; cut += recordings.length + 1) {
      const stream = open(kind);
      let out = relay(stream, bytes, cut);
      const closing = stream.closing(JSON.stringify(body).includes('include_usage'));
      if (closing !== undefined) out += Buffer.from(closing).toString();
      else {
        const next = stream.continuation(request);
        assert.ok(typeof next === 'object', `${next}`);
        stream.continueAt();
        out += relay(stream, continued.get(next.sentTokens) as Uint8Array);
      }
      assert.deepEqual(essence(seen(out)), whole, `cut at ${cut}`);
    }
  });
}

for (const chunk of [
  '{"choices":"none"}',
  '{"choices":[null]}',
  '{"choices":[{"delta":null}]}',
  '{"choices":[{"delta":{"tool_calls":7}}]}',
  '{"choices":[{"delta":{"tool_calls":[null]}}]}',
  '{"choices":[{"delta":{"tool_calls":[{"index":4000000000}]}}]}',
  '{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":[]}}]}}]}',
  '{"choices":[],"usage":"none"}',
]) {
  test(`a chunk of a shape that no engine writes passes as it is, and its stream no longer moves: ${chunk}`, () => {
    const stream = new MigratableStream(
      { kind: 'chat', hidesIds: true },
      new StreamMemory(),
      new UsualEvents(),
    );
    const bytes = chunkOf(`data: ${chunk}\n\n`);
    assert.deepEqual(stream.take(bytes, true, false), bytes);
    assert.equal(stream.continuation(bodyOf('chat')), 'tokens');
  });
}

test('a stream that is given up keeps the ids that its client asked for, and no others', () => {
  const aborted =
    'data: {"choices":[{"index":0,"text":"","finish_reason":"abort","token_ids":[7]}]}\n\n';
  for (const [hidesIds, ids] of [
    [false, '[7]'],
    [true, 'null'],
  ] as const) {
    const stream = new MigratableStream(
      { kind: 'completion', hidesIds },
      new StreamMemory(),
      new UsualEvents(),
    );
    assert.equal(stream.take(chunkOf(aborted), true, false), undefined);
    assert.deepEqual(stream.release(), chunkOf(aborted.replace('[7]', ids)));
  }
});
