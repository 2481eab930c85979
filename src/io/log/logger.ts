// A logger that buffers lines for a few milliseconds and writes them together.

/** From most to least verbose; upstream's router uses the same names. */
export const logLevels = ['trace', 'debug', 'info', 'warning', 'error', 'critical'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What a line tells besides its message. Names are those of OpenTelemetry's log format: `trace_id`. */
type LogFields = Readonly<Record<string, string>>;

export interface Logger {
  /** Whether `info` lines are written. Check it on a hot path before building a line. */
  readonly infoEnabled: boolean;
  debug(message: string): void;
  /** @param fields Shown behind the message, and as keys of their own in JSON. */
  info(message: string, fields?: LogFields): void;
  warning(message: string): void;
  error(message: string): void;
  /** Writes the buffered lines now. */
  flush(): void;
}

/**
 * Maximum time that a line is buffered. It is shorter than an engine takes to respond, so a client
 * that has received a response finds its request in the log, as upstream's end-to-end tests expect.
 * The resulting 200 writes per second cost nothing.
 */
const flushMs = 5;
/** Buffered text beyond this is written at once. */
const bufferedCharactersMax = 65_536;
/** A longer message is truncated: it may contain text from a client. */
const messageCharactersMax = 8_192;
/** If the reader of the log is blocked with this much unread, further lines are dropped. */
const unreadBytesMax = 8 * 1_048_576;

export interface LoggerOptions {
  readonly stream: NodeJS.WritableStream;
  readonly level: LogLevel;
  /** `json`: one object per line with `time`, `level`, `message` and the line's fields. */
  readonly format: 'text' | 'json';
}

/**
 * Creates a logger.
 *
 * @example
 * const log = createLogger({ stream: process.stderr, level: 'info', format: 'text' });
 * log.info('listening'); // [2026-11-21T09:30:00.000Z] INFO: listening
 */
export function createLogger(options: LoggerOptions): Logger {
  const { stream, format } = options;
  const least = logLevels.indexOf(options.level);
  let buffered = '';
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (buffered === '') return;
    const text = buffered;
    buffered = '';
    stream.write(text);
  };
  const write = (level: LogLevel, message: string, fields?: LogFields) => {
    if (logLevels.indexOf(level) < least) return;
    if (((stream as { writableLength?: number }).writableLength ?? 0) > unreadBytesMax) {
      dropped++;
      return;
    }
    if (dropped > 0) {
      buffered += line(
        format,
        'warning',
        `${dropped} log lines dropped: the reader of the log is too slow`,
      );
      dropped = 0;
    }
    buffered += line(format, level, message, fields);
    if (buffered.length > bufferedCharactersMax) flush();
    else timer ??= setTimeout(flush, flushMs).unref();
  };
  return {
    infoEnabled: least <= logLevels.indexOf('info'),
    debug: (message) => write('debug', message),
    info: (message, fields) => write('info', message, fields),
    warning: (message) => write('warning', message),
    error: (message) => write('error', message),
    flush,
  };
}

function line(
  format: 'text' | 'json',
  level: LogLevel,
  text: string,
  fields: LogFields = {},
): string {
  const time = new Date().toISOString();
  const isLong = text.length > messageCharactersMax;
  const message = isLong ? `${text.slice(0, messageCharactersMax)} […]` : text;
  if (format === 'json') return `${JSON.stringify({ time, level, message, ...fields })}\n`;
  const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
  return `[${time}] ${level.toUpperCase()}: ${printable(message + pairs.join(''))}\n`;
}

/**
 * Removes control characters from one line, because a terminal would obey them; line ends become
 * spaces.
 */
function printable(text: string): string {
  return text.replace(/[\n\r\t]/g, ' ').replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
