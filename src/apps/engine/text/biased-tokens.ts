// Applies `logit_bias` to synthetic text: a strong bias decides, as with a model.
import type { TokenSource } from '../sequences/token-source.ts';

/**
 * Lead of the next word of synthetic text over every other token, in logits. OpenAI's scale
 * runs to 100, "exclusive selection"; models that are sure of a token lead by about this much.
 */
const leadOfText = 10;

export interface TokenBias {
  /** Token id to the value that is added to its logit. */
  readonly logitBias: Readonly<Record<string, number>> | null | undefined;
  /** The only allowed tokens; undefined for all. */
  readonly allowed: readonly number[] | undefined;
  /** Random weights have no preference: any bias decides. */
  readonly isUndecided: boolean;
  /** Tokens that are not allowed before `tokensMin` others. */
  readonly ends: ReadonlySet<number>;
  readonly tokensMin: number;
}

/**
 * @returns The tokens with the greatest bias instead of `text`; `text` itself if no bias is large
 * enough.
 */
export function biasedTokens(text: TokenSource, bias: TokenBias): TokenSource {
  const lead = bias.isUndecided ? 0 : leadOfText;
  const allowed = bias.allowed && new Set(bias.allowed);
  const winners = Object.entries(bias.logitBias ?? {})
    .map(([id, value]) => ({ id: Number(id), value }))
    .filter(({ id, value }) => value > lead && allowed?.has(id) !== false)
    .toSorted((a, b) => b.value - a.value || a.id - b.id)
    .map(({ id }) => id);
  const banned = bannedTokens(bias.logitBias, lead);
  if (winners.length === 0 && banned.size === 0) return text;
  const best = winners[0];
  const bestBeforeEnd = winners.find((id) => !bias.ends.has(id));
  let made = 0;
  return {
    next(output) {
      const winner = made++ < bias.tokensMin ? bestBeforeEnd : best;
      return winner ?? allowedText(text, banned, output);
    },
  };
}

function bannedTokens(bias: TokenBias['logitBias'], lead: number): ReadonlySet<number> {
  const entries = Object.entries(bias ?? {}).filter(([, value]) => value < -lead);
  return new Set(entries.map(([id]) => Number(id)));
}

/** Maximum number of draws before a banned word is accepted; only a tiny vocabulary needs more. */
const drawsMax = 100;

function allowedText(
  text: TokenSource,
  banned: ReadonlySet<number>,
  output: readonly number[],
): number {
  let token = text.next(output);
  for (let draw = 1; banned.has(token) && draw < drawsMax; draw++) token = text.next(output, draw);
  return token;
}
