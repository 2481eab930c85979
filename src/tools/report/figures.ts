// Formats figures for terminals, Markdown and pages.

/** Formats 12345.6 as `12,346`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Formats 1234.5 as `1,235`; values below 10 have one decimal, below 1 two. */
export function number(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 10 ? 0 : size >= 1 ? 1 : 2;
  return Number(value.toFixed(digits)).toLocaleString('en-US');
}

/** Formats 0.2137 as `21.4 %`. */
export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** Formats 0.2137 as `21 %`, with the digits of `number`. */
export function roundPercent(share: number): string {
  return `${number(Math.round(share * 1000) / 10)} %`;
}

/** Formats 0.2137 as `+21.4 %`, −0.2137 as `-21.4 %`. */
export function signedPercent(share: number): string {
  return `${share >= 0 ? '+' : ''}${percent(share)}`;
}

/** Formats 0.2137 as `+21 %`, −0.2137 as `−21 %`, and what rounds to 0 as `±0 %`. */
export function roundChange(share: number): string {
  const points = Math.round(share * 1000) / 10;
  return `${points > 0 ? '+' : points < 0 ? '−' : '±'}${number(Math.abs(points))} %`;
}

/** Formats 1234 as `1,234 ms`, and 10 seconds or more as `12 s`. */
export function milliseconds(value: number): string {
  return value >= 10_000 ? `${number(value / 1000)} s` : `${number(value)} ms`;
}

/** Formats 5400 as `90m`, 86400 as `1d`, 7.25 as `7.3s`. */
export function duration(seconds: number): string {
  for (const [unit, length] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (seconds >= 2 * length || seconds === length)
      return `${Number((seconds / length).toFixed(1))}${unit}`;
  }
  return `${Number(seconds.toFixed(1))}s`;
}

/** Formats 1.25e10 as `13 GB`. */
export function gigabytes(bytes: number): string {
  return `${number(bytes / 1e9)} GB`;
}

/** Formats 2.5 as `$2.50`. */
export function dollars(value: number | undefined): string {
  return value === undefined ? 'price unknown' : `$${value.toFixed(2)}`;
}

/** Formats 12300 as `12.3k`: three digits and a letter, for ticks. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${threeDigits(value / 1e9)}G`;
  if (size >= 1e6) return `${threeDigits(value / 1e6)}M`;
  if (size >= 1e4) return `${threeDigits(value / 1e3)}k`;
  return threeDigits(value);
}

function threeDigits(value: number): string {
  return String(Number(value.toPrecision(3)));
}
