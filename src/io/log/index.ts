// The log of a long-running program: lines or JSON, buffered so that a line costs no system call.
export { createLogger, type Logger, type LogLevel, logLevels } from './logger.ts';
