// Numbers formatted for people.

/** Shown for unknown values. */
const unknown = '–';

export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return unknown;
  if (value < 10_000) return Math.round(value).toLocaleString('en');
  if (value < 999_950) return `${(value / 1e3).toFixed(1)}k`;
  return `${(value / 1e6).toFixed(2)}M`;
}

export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return unknown;
  return value < 100 ? value.toFixed(1) : count(value);
}

export function percent(share: number | null | undefined, digits = 0): string {
  return share === null || share === undefined ? unknown : `${(share * 100).toFixed(digits)}%`;
}

/** A latency: `8.4 ms`, `123 ms`, `1.23 s`, `123 s`. */
export function latency(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return unknown;
  if (seconds >= 99.95) return `${seconds.toFixed(0)} s`;
  if (seconds >= 0.9995) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  const milliseconds = seconds * 1000;
  return `${milliseconds.toFixed(milliseconds < 9.95 ? 1 : 0)} ms`;
}

/** `1:02:03` or `2:03`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? part : String(part).padStart(2, '0'))).join(':');
}

/** An engine's URL without its scheme. */
export function shortUrl(url: string): string {
  return url.replace(/^https?:\/\//, '');
}
