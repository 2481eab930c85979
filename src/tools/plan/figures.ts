// Formatting of figures that only plans use.
import type { Estimate } from './scenario.ts';

/** Formats a mean with its interval. */
export function range(estimate: Estimate, text: (value: number) => string): string {
  return `${text(estimate.mean)} (${text(estimate.low)} to ${text(estimate.high)})`;
}

/** Returns the price of a million output tokens in dollars; undefined without a price. */
export function pricePerMillionTokens(
  pricePerHour: number | undefined,
  tokensPerSecond: number,
): number | undefined {
  if (pricePerHour === undefined || !(tokensPerSecond > 0)) return undefined;
  return (pricePerHour / (tokensPerSecond * 3600)) * 1e6;
}
