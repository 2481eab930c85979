// Texts and figures that fit into the cells of a terminal.

/** Thousands as 12.3k, so that columns stay narrow. */
export function count(value: number): string {
  if (value < 10_000) return value.toFixed(0);
  return value < 999_950 ? `${(value / 1e3).toFixed(1)}k` : `${(value / 1e6).toFixed(2)}M`;
}

/** `1 request`, or `12.3k requests`. */
export function amount(value: number, noun: string): string {
  return `${count(value)} ${value === 1 ? noun : `${noun}s`}`;
}

/** `1:02:03` or `2:03`. */
export function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? part : String(part).padStart(2, '0'))).join(':');
}

/** A latency: `8.4ms`, `123ms`, `1.23s`, `123s`. */
export function latency(seconds: number): string {
  if (seconds >= 99.95) return `${seconds.toFixed(0)}s`;
  if (seconds >= 0.9995) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)}s`;
  const milliseconds = seconds * 1000;
  return `${milliseconds.toFixed(milliseconds < 9.95 ? 1 : 0)}ms`;
}

export function percent(share: number, digits = 0): string {
  return `${(share * 100).toFixed(digits)}%`;
}

export function pad(text: string, width: number, align: 'left' | 'right'): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}

/** At most `width` cells; a longer text ends with an ellipsis. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** A line from outside without colours, cursor codes and other control characters. */
export function printable(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the codes to remove
      .replace(/\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)/g, '')
      .replace(/\t/g, '  ')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the codes to remove
      .replace(/[\x00-\x1f\x7f-\x9f]/g, '')
  );
}

const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/**
 * A series as a line of bars, the newest value at the right; each cell has the highest of its values.
 *
 * @param values Unknown values are null and leave a gap.
 * @param top Value of a full bar; anything above is a full bar.
 */
export function sparkline(values: readonly (number | null)[], width: number, top: number): string {
  const perCell = Math.max(1, Math.ceil(values.length / Math.max(1, width)));
  const cells: string[] = [];
  for (let end = values.length; end > 0 && cells.length < width; end -= perCell) {
    const known = values.slice(Math.max(0, end - perCell), end).filter((value) => value !== null);
    const share = Math.max(...known) / top;
    cells.unshift(known.length === 0 ? ' ' : (bars[Math.min(7, Math.floor(share * 8))] as string));
  }
  return cells.join('');
}
