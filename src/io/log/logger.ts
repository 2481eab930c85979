// A logger that collects the lines of a few milliseconds and writes them at once.

/** From the most to the least talkative; upstream's router has the same names. */
export const logLevels = ['trace', 'debug', 'info', 'warning', 'error', 'critical'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface Logger {
  /** Whether `info` lines are written: ask before building one on a hot path. */
  readonly infoEnabled: boolean;
  debug(message: string): void;
  info(message: string): void;
  warning(message: string): void;
  error(message: string): void;
  /** Writes what is buffered, now. */
  flush(): void;
}

/**
 * Lines wait at most this long: less than an engine takes to answer, so that who has an answer finds
 * its request in the log, as upstream's end-to-end tests expect; and 200 writes per second cost nothing.
 */
const flushMs = 5;
/** More buffered text than this is written at once. */
const bufferedCharactersMax = 65_536;
/** When the reader of our log is stuck with this much unread, further lines are dropped. */
const unreadBytesMax = 8 * 1_048_576;

export interface LoggerOptions {
  readonly stream: NodeJS.WritableStream;
  readonly level: LogLevel;
  /** `json`: one object per line with `time`, `level`, `message`. */
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
  const write = (level: LogLevel, message: string) => {
    if (logLevels.indexOf(level) < least) return;
    if (((stream as { writableLength?: number }).writableLength ?? 0) > unreadBytesMax) {
      dropped++;
      return;
    }
    if (dropped > 0) {
      buffered += line(format, 'warning', `${dropped} log lines dropped: their reader is slow`);
      dropped = 0;
    }
    buffered += line(format, level, message);
    if (buffered.length > bufferedCharactersMax) flush();
    else timer ??= setTimeout(flush, flushMs).unref();
  };
  return {
    infoEnabled: least <= logLevels.indexOf('info'),
    debug: (message) => write('debug', message),
    info: (message) => write('info', message),
    warning: (message) => write('warning', message),
    error: (message) => write('error', message),
    flush,
  };
}

function line(format: 'text' | 'json', level: LogLevel, message: string): string {
  const time = new Date().toISOString();
  if (format === 'json') return `${JSON.stringify({ time, level, message })}\n`;
  return `[${time}] ${level.toUpperCase()}: ${message.replace(/[\n\r]/g, ' ')}\n`;
}
