// `prompt_logprobs` of both generation routes.
import type { Tokenizer } from '../../../core/tokenizer/index.ts';
import { likeliest } from '../text/logprobs.ts';

/** One object per prompt token, the first null: nothing comes before it. Null if not asked for. */
export function promptLogprobs(
  tokenizer: Tokenizer,
  prompt: readonly number[],
  top: number | null | undefined,
): (object | null)[] | null {
  if (top == null) return null;
  return prompt.map((tokenId, i) => {
    if (i === 0) return null;
    const tokens = likeliest(tokenizer, tokenId, Math.max(1, top + 1));
    return Object.fromEntries(
      tokens.map(({ tokenId: id, logprob, text }, rank) => [
        id,
        // The likeliest one is another than the prompt's own, which ranks after all those named.
        { logprob, rank: rank === 0 ? tokens.length : rank, decoded_token: text },
      ]),
    );
  });
}
