// The log of a long-running program: text or JSON lines, buffered to avoid a system call per line.
export { CountedEvents } from './counted-events.ts';
export { createLogger, type Logger, type LogLevel, logLevels } from './logger.ts';
