// Writes log probabilities of token ids as text for a client: vLLM's `_resolve_logprobs`.
import type { Tokenizer } from '../../../../core/tokenizer/index.ts';
import type { CompletionLogprobs } from '../../completions/completion-logprobs.ts';

interface SpelledLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

type SpelledEntry = SpelledLogprob & { readonly top_logprobs: readonly SpelledLogprob[] };

/** A log probability as token routes return it. */
interface WrittenLogprob {
  readonly token_id: number;
  readonly logprob: number;
  readonly top_logprobs?: readonly WrittenLogprob[];
}

/** @param context Tokens before these, which may contain the start of a character. */
export function spelledLogprobs(
  tokenizer: Tokenizer,
  logprobs: unknown,
  context: readonly number[] = [],
): { readonly content: readonly SpelledEntry[] | null } | null {
  if (logprobs == null) return null;
  const { content } = Object(logprobs) as { content?: unknown };
  if (!Array.isArray(content)) return { content: null };
  const before = [...context];
  const entries = content.map((entry: WrittenLogprob) => {
    const spell = ({ token_id: id, logprob }: WrittenLogprob): SpelledLogprob => {
      const token = spelled(tokenizer, id, before);
      return { token, logprob, bytes: [...new TextEncoder().encode(token)] };
    };
    const spelledEntry = { ...spell(entry), top_logprobs: (entry.top_logprobs ?? []).map(spell) };
    before.push(entry.token_id);
    return spelledEntry;
  });
  return { content: entries };
}

const nothingBefore = { context: [], offset: 0 } as const;

/** The same, as the four lists of the completions API. */
export function spelledCompletionLogprobs(
  tokenizer: Tokenizer,
  logprobs: unknown,
  before: { readonly context: readonly number[]; readonly offset: number } = nothingBefore,
): { [K in keyof CompletionLogprobs]: CompletionLogprobs[K] | null } | null {
  const resolved = spelledLogprobs(tokenizer, logprobs, before.context);
  if (resolved === null) return null;
  const entries = resolved.content ?? [];
  let at = before.offset;
  return {
    text_offset: entries.map(({ token }) => {
      const start = at;
      at += Array.from(token).length;
      return start;
    }),
    token_logprobs: entries.map(({ logprob }) => logprob),
    tokens: entries.map(({ token }) => token),
    top_logprobs: entries.map(({ top_logprobs: top }) =>
      top.length === 0 ? null : Object.fromEntries(top.map((one) => [one.token, one.logprob])),
    ),
  };
}

/** Number of previous tokens that vLLM's `_correct_decoded_token` uses. */
const contextTokensMax = 4;

/** The text of a token that ends within a character includes the tokens before it, or is empty. */
function spelled(tokenizer: Tokenizer, id: number, before: readonly number[]): string {
  const alone = tokenizer.decode([id]);
  if (!alone.endsWith('\ufffd')) return alone;
  for (let count = 1; count <= Math.min(before.length, contextTokensMax); count++) {
    const context = before.slice(-count);
    const whole = tokenizer.decode([...context, id]);
    if (whole.endsWith('\ufffd')) continue;
    let clean = context.length;
    while (clean > 0 && tokenizer.decode([context[clean - 1] as number]).endsWith('\ufffd'))
      clean--;
    const prefix = tokenizer.decode(context.slice(0, clean));
    return whole.startsWith(prefix) ? whole.slice(prefix.length) : whole;
  }
  return '';
}
