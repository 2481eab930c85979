// Who tokenizes a prompt: this turn, the thread, an engine or nobody; and how that is counted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRegistry } from '../../../core/metrics/index.ts';
import type { PromptKind } from '../../../core/prompts/index.ts';
import { RouterMetrics } from '../metrics/router-metrics.ts';
import type { EngineTokenize } from './engine-tokenize.ts';
import type { ModelTokenizers, NoTokenizer } from './model-tokenizers.ts';
import { PromptTokens } from './prompt-tokens.ts';

const ofThread = { tokens: Uint32Array.of(1), cacheSalt: undefined };
const ofTurn = { tokens: Uint32Array.of(1, 2), cacheSalt: 'salt' };
const ofEngine = Uint32Array.of(1, 2, 3);

interface Given {
  /** Why there is no tokenizer. */
  readonly why?: NoTokenizer;
  /** What an engine responds; undefined if engines are not asked. */
  readonly engine?: Uint32Array | 'nothing';
  /** Why the prompt cannot be tokenized. */
  readonly refusal?: 'template' | 'late';
}

/** Asks for the tokens of a body; returns them, whether at once, and the series that were counted. */
async function ask(given: Given, body: string, kind: PromptKind = 'chat') {
  const { why, engine, refusal } = given;
  const registry = new MetricsRegistry();
  const tokenizer = {
    ...{ name: 'n', prompts: { tokenize: () => refusal ?? ofTurn } },
    thread: { tokenize: () => Promise.resolve(refusal ?? ofThread) },
  };
  const asked = { tokens: async () => (engine === 'nothing' ? undefined : engine) };
  const prompts = new PromptTokens({
    tokenizers: { of: () => why ?? tokenizer } as unknown as ModelTokenizers,
    engineTokenize: engine === undefined ? undefined : (asked as unknown as EngineTokenize),
    metrics: new RouterMetrics(registry, 60),
  });
  const result = prompts.of('m', kind, Buffer.from(body));
  const counted = [...registry.render().matchAll(/(?:by|reason)="(\w+)"\} ([1-9])/g)].map(
    ([, label]) => label,
  );
  if (!(result instanceof Promise)) return { result, isAtOnce: true, counted };
  const later = await result;
  const [, label] = /(?:by|reason)="(\w+)"\} [1-9]/.exec(registry.render()) ?? [];
  return { result: later, isAtOnce: false, counted: [...counted, label] };
}

/** A JSON body of this length. */
function bodyOf(bytes: number): string {
  return `"${'x'.repeat(bytes - 2)}"`;
}

test('a prompt of up to 10 KiB is tokenized at once, a longer one in the thread, up to 8 MiB', async () => {
  const byRouter = { counted: ['router'] };
  assert.deepEqual(await ask({}, bodyOf(10_240)), { result: ofTurn, isAtOnce: true, ...byRouter });
  const inThread = { result: ofThread, isAtOnce: false, ...byRouter };
  assert.deepEqual(await ask({}, bodyOf(10_241)), inThread);
  assert.deepEqual(await ask({}, bodyOf(8 * 1_048_576)), inThread);
  assert.deepEqual(await ask({}, bodyOf(8 * 1_048_576 + 1)), {
    ...{ result: undefined, isAtOnce: true, counted: ['long'] },
  });
});

test('a prompt that cannot be tokenized is counted with the reason', async () => {
  const none = { result: undefined };
  const atOnce = { ...none, isAtOnce: true };
  assert.deepEqual(await ask({}, '{"mess'), { ...atOnce, counted: ['refused'] });
  assert.deepEqual(await ask({ refusal: 'template' }, '{}'), { ...atOnce, counted: ['template'] });
  const late = { ...none, isAtOnce: false, counted: ['late'] };
  assert.deepEqual(await ask({ refusal: 'late' }, bodyOf(20_000)), late);
});

test('without a tokenizer, engines are asked for chats and completions if the user wants that', async () => {
  const loading = { result: undefined, isAtOnce: true, counted: ['loading'] };
  assert.deepEqual(await ask({ why: 'loading' }, '{}'), loading);
  assert.deepEqual(await ask({ why: 'off' }, '{}'), { ...loading, counted: ['off'] });
  const tokens = { tokens: ofEngine, cacheSalt: undefined };
  for (const kind of ['chat', 'completions'] as const) {
    assert.deepEqual(await ask({ why: 'loading', engine: ofEngine }, '{}', kind), {
      ...{ result: tokens, isAtOnce: false, counted: ['engine'] },
    });
  }
  for (const kind of ['messages', 'responses', 'generate'] as const) {
    assert.deepEqual(await ask({ why: 'loading', engine: ofEngine }, '{}', kind), loading, kind);
  }
  assert.deepEqual(await ask({ why: 'unavailable', engine: 'nothing' }, '{}'), {
    ...{ result: undefined, isAtOnce: false, counted: ['unavailable'] },
  });
});
