// Synthetic log probabilities of tokens: plausible, and constant for a token.
import type { Tokenizer } from '../../../core/tokenizer/index.ts';

export interface TokenLogprob {
  readonly tokenId: number;
  readonly text: string;
  readonly logprob: number;
}

/**
 * Returns the token itself and the most likely alternatives; the token is the most likely.
 *
 * @param top Number of tokens to list; the token is among them if `top` is at least one.
 */
export function likeliest(tokenizer: Tokenizer, tokenId: number, top: number): TokenLogprob[] {
  const own = ownLogprob(tokenizer, tokenId);
  return Array.from({ length: top }, (_, rank) => {
    if (rank === 0) return own;
    // A stride coprime with the size of any vocabulary visits different tokens.
    const other = (tokenId + rank * 7919) % tokenizer.vocabularySize;
    return {
      tokenId: other,
      text: textOf(tokenizer, other),
      logprob: own.logprob - 0.7 * rank,
    };
  });
}

/** The tokenizer remembers the texts of tokens that are whole characters, which takes a tenth of the time. */
function textOf(tokenizer: Tokenizer, tokenId: number): string {
  return tokenizer.tokenText(tokenId) ?? tokenizer.decode([tokenId]);
}

export function ownLogprob(tokenizer: Tokenizer, tokenId: number): TokenLogprob {
  const mixed = Math.imul(tokenId + 1, 0x9e3779b1) >>> 0;
  return {
    tokenId,
    text: textOf(tokenizer, tokenId),
    logprob: -0.02 - (mixed / 0x1_0000_0000) * 1.5,
  };
}
