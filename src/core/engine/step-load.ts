// Sums up a planned step for the cost model.
import type { StepLoad } from './contract.ts';
import type { Sequence } from './sequence.ts';

/**
 * @param sequences In scheduling order, before their `computedTokens` include the step.
 * @param tokens Aligned with `sequences`.
 */
export function stepLoad(sequences: readonly Sequence[], tokens: readonly number[]): StepLoad {
  let total = 0;
  let prefillTokens = 0;
  let prefillTokenContext = 0;
  let prefillTokensSquared = 0;
  let decodeSequences = 0;
  let decodeContextTokens = 0;
  for (let i = 0; i < sequences.length; i++) {
    const chunk = tokens[i] as number;
    const context = (sequences[i] as Sequence).computedTokens;
    total += chunk;
    // Attention kernels treat a single query as a decode, whatever phase it comes from.
    if (chunk === 1) {
      decodeSequences++;
      decodeContextTokens += context;
    } else {
      prefillTokens += chunk;
      prefillTokenContext += chunk * context;
      prefillTokensSquared += chunk * chunk;
    }
  }
  return {
    sequences: sequences.length,
    tokens: total,
    prefillTokens,
    prefillTokenContext,
    prefillTokensSquared,
    decodeSequences,
    decodeContextTokens,
  };
}
