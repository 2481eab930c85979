// Numbers as people read them.

/** `-` for what is not known. */
export const unknown = '–';

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

/** `1:02:03` or `2:03`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? part : String(part).padStart(2, '0'))).join(':');
}

/** An engine's URL without what all of them share. */
export function shortUrl(url: string): string {
  return url.replace(/^https?:\/\//, '');
}
