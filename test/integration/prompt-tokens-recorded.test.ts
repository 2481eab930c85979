// The tokens that the router computes for a prompt, against those that a real vLLM 0.32.0 counted and returned.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { promptKinds } from '../../src/apps/router/requests/request-routes.ts';
import { PromptTokenizer } from '../../src/core/prompts/index.ts';
import { loadTokenizer } from '../../src/io/tokenizers/index.ts';
import { expand, type WireAnswer, type WireCase } from '../support/wire-record.ts';

const folder = join(import.meta.dirname, '../conformance/vllm-wire');
const prompts = new PromptTokenizer(await loadTokenizer());

/** Recordings, with the least number of their answers that show the tokens of a prompt. */
const recordings = [
  { cases: 'cases', answers: 'real-0.32.0', least: 80 },
  { cases: 'cases', answers: 'real-0.32.0-bare', least: 3 },
  { cases: 'cases', answers: 'real-0.32.0-auth', least: 7 },
  { cases: 'probes', answers: 'probes-0.32.0', least: 400 },
];

for (const { cases, answers, least } of recordings) {
  test(`${answers}: every prompt gets the tokens that vLLM counted`, (t) => {
    const given = new Map(casesOf(cases).map((one) => [one.id, one]));
    const differences: string[] = [];
    const reasons = new Map<string, number>();
    let compared = 0;
    for (const answer of answersOf(answers)) {
      const one = given.get(answer.id);
      const shown = answer.status === 200 && one ? shownTokens(one, answer) : undefined;
      if (one === undefined || shown === undefined) continue;
      const result = tokensOf(one);
      if (typeof result === 'string') {
        reasons.set(result, (reasons.get(result) ?? 0) + 1);
        if (result === 'refused') differences.push(`${one.id}: refused`);
        continue;
      }
      compared++;
      const { count, ids } = shown;
      if (count !== result.length) {
        differences.push(`${one.id}: ${result.length} tokens, not ${count}`);
      } else if (ids?.some((id, i) => id !== result[i])) {
        differences.push(`${one.id}: other tokens`);
      }
    }
    t.diagnostic(`${compared} prompts compared; not tokenized: ${JSON.stringify([...reasons])}`);
    assert.deepEqual(differences, []);
    assert.ok(compared >= least, `${compared} compared`);
  });
}

function tokensOf({ path, body }: WireCase): Uint32Array | string {
  const expanded = expand(body);
  const parsed = typeof expanded === 'string' ? parsedOr(expanded) : expanded;
  // Python's JSON has NaN.
  if (parsed === undefined) return 'not JSON';
  if (path === '/tokenize') {
    const kind = 'messages' in (parsed as object) ? 'chat' : 'completions';
    const result = prompts.tokenize(kind, parsed);
    return typeof result === 'string' ? result : result.tokens;
  }
  const result = prompts.tokenize(promptKinds.get(path) ?? 'chat', parsed);
  return typeof result === 'string' ? result : result.tokens;
}

interface Shown {
  readonly count: number;
  readonly ids: readonly number[] | undefined;
}

/** Finds what an answer says of its prompt. */
function shownTokens({ path, body }: WireCase, answer: WireAnswer): Shown | undefined {
  if (!(promptKinds.has(path) || path === '/tokenize') || body == null) return undefined;
  const texts = answer.sse
    ? answer.sse.flatMap((event) =>
        event.split('\n').flatMap((line) => /^data: (\{.*)/.exec(line)?.[1] ?? []),
      )
    : [answer.body ?? ''];
  let count: number | undefined;
  let ids: readonly number[] | undefined;
  for (const text of texts) {
    const said = parsedOr(text);
    const usage = said?.usage ?? said?.response?.usage ?? said?.message?.usage;
    if (path === '/tokenize') ids = said?.tokens;
    else ids ??= said?.prompt_token_ids ?? said?.choices?.[0]?.prompt_token_ids ?? undefined;
    // Anthropic's count leaves out the tokens that the cache had, and those that it got.
    const { cache_read_input_tokens: read = 0, cache_creation_input_tokens: created = 0 } =
      usage ?? {};
    const counted = usage?.prompt_tokens ?? usage?.input_tokens;
    if (counted === undefined || count !== undefined) continue;
    count = counted + (answer.sse ? 0 : read + created);
  }
  if (ids !== undefined) count = ids.length;
  return count === undefined ? undefined : { count, ids };
}

interface Said {
  readonly usage?: Usage;
  readonly response?: { readonly usage?: Usage };
  readonly message?: { readonly usage?: Usage };
  readonly tokens?: readonly number[];
  readonly prompt_token_ids?: readonly number[];
  readonly choices?: readonly { readonly prompt_token_ids?: readonly number[] | null }[];
}

interface Usage {
  readonly prompt_tokens?: number;
  readonly input_tokens?: number;
  readonly cache_read_input_tokens?: number;
  readonly cache_creation_input_tokens?: number;
}

function parsedOr(text: string): Said | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function casesOf(name: string): readonly WireCase[] {
  return JSON.parse(gunzipSync(readFileSync(join(folder, `${name}.json.gz`))).toString()).cases;
}

function answersOf(name: string): readonly WireAnswer[] {
  const lines = gunzipSync(readFileSync(join(folder, `${name}.jsonl.gz`)))
    .toString()
    .split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}
