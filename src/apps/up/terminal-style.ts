// Colours and glyphs of the terminal view; none where the output is not a terminal.

/** The meaning of a piece of text; only this file decides how it looks. */
export type Tone = 'plain' | 'dim' | 'bold' | 'good' | 'warn' | 'bad' | 'accent';

export interface TerminalStyle {
  readonly hasColour: boolean;
  /** Whether block characters can be shown; otherwise gauges use # and -. */
  readonly hasUnicode: boolean;
}

/** SGR codes; see ECMA-48, section 8.3.117. */
const codes: Readonly<Record<Tone, string>> = {
  plain: '',
  dim: '2',
  bold: '1',
  good: '32',
  warn: '33',
  bad: '31',
  accent: '36',
};

/** The style that a stream and the environment support. @see https://no-color.org */
export function styleOf(
  stream: { isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): TerminalStyle {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  return {
    hasColour: stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb',
    hasUnicode: /utf-?8/i.test(locale) || process.platform !== 'linux',
  };
}

export function paint(text: string, tone: Tone, style: TerminalStyle): string {
  const code = codes[tone];
  return style.hasColour && code !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/**
 * A bar of `width` cells filled to `share`.
 *
 * @param share In [0, 1]; anything else is clamped.
 * @returns The filled part and the empty part, `width` cells together.
 */
export function gauge(share: number, width: number, style: TerminalStyle): [string, string] {
  const clamped = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0));
  if (!style.hasUnicode) {
    const full = Math.round(clamped * width);
    return ['#'.repeat(full), '-'.repeat(width - full)];
  }
  const parts = Math.round(clamped * width * 8);
  const filled = '█'.repeat(Math.floor(parts / 8)) + (eighths[parts % 8] as string);
  return [filled, '·'.repeat(width - filled.length)];
}
