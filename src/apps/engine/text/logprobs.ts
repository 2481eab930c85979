// Log probabilities of tokens that nobody computed: plausible, and always the same for a token.
import type { Tokenizer } from '../../../core/tokenizer/index.ts';

export interface TokenLogprob {
  readonly tokenId: number;
  readonly text: string;
  readonly logprob: number;
}

/**
 * The token itself and the likeliest others; the token is the likeliest.
 *
 * @param top How many to name; the token is among them if there is room for one.
 */
export function likeliest(tokenizer: Tokenizer, tokenId: number, top: number): TokenLogprob[] {
  const own = ownLogprob(tokenizer, tokenId);
  return Array.from({ length: top }, (_, rank) => {
    if (rank === 0) return own;
    // A stride that is prime to any vocabulary's size visits different tokens.
    const other = (tokenId + rank * 7919) % tokenizer.vocabularySize;
    return {
      tokenId: other,
      text: tokenizer.decode([other]),
      logprob: own.logprob - 0.7 * rank,
    };
  });
}

export function ownLogprob(tokenizer: Tokenizer, tokenId: number): TokenLogprob {
  const mixed = Math.imul(tokenId + 1, 0x9e3779b1) >>> 0;
  return {
    tokenId,
    text: tokenizer.decode([tokenId]),
    logprob: -0.02 - (mixed / 0x1_0000_0000) * 1.5,
  };
}
