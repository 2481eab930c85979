// Figures as a plan prints them.
import type { Estimate } from './plan.ts';

/** 1234.5 as `1,235`; below 10 with one digit after the point, below 1 with two. */
export function number(value: number): string {
  const digits = Math.abs(value) >= 10 ? 0 : Math.abs(value) >= 1 ? 1 : 2;
  return Number(value.toFixed(digits)).toLocaleString('en-US');
}

/** 0.214 as `21 %`. */
export function percent(share: number): string {
  return `${number(Math.round(share * 1000) / 10)} %`;
}

/** 0.214 as `+21 %`. */
export function change(share: number): string {
  const points = Math.round(share * 1000) / 10;
  return `${points > 0 ? '+' : points < 0 ? '−' : '±'}${number(Math.abs(points))} %`;
}

/** A mean with its interval. */
export function range(estimate: Estimate, text: (value: number) => string): string {
  return `${text(estimate.mean)} (${text(estimate.low)} to ${text(estimate.high)})`;
}

export function gigabytes(bytes: number): string {
  return `${number(bytes / 1e9)} GB`;
}

export function dollars(value: number | undefined): string {
  return value === undefined ? 'price unknown' : `$${value.toFixed(2)}`;
}

export function milliseconds(value: number): string {
  return value >= 10_000 ? `${number(value / 1000)} s` : `${number(value)} ms`;
}

/** Output tokens of a million, in dollars; undefined without a price. */
export function pricePerMillionTokens(
  pricePerHour: number | undefined,
  tokensPerSecond: number,
): number | undefined {
  if (pricePerHour === undefined || !(tokensPerSecond > 0)) return undefined;
  return (pricePerHour / (tokensPerSecond * 3600)) * 1e6;
}
