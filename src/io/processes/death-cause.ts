// Finds the line in the output of a dead child that states the cause of death.
import type { OutputStream } from './output-stream.ts';

/**
 * An exception as Python's tracebacks and Node's uncaught errors print it, alone on its line or after
 * the prefix of vLLM's log: `(EngineCore pid=9) ERROR 11-23 01:44:33 [core.py:1300] ValueError: …`.
 */
const exceptionLine =
  /^(?:(?:\([^)]*\) )?ERROR [^\]]*\] )?((?:\w+\.)*[A-Z]\w*(?:Error|Exception): .+)$/;
/**
 * vLLM's API server reports the death of its engine core with these words, after the core's own
 * exception.
 */
const pointsElsewhere = /see root cause above|for the root cause/i;
/** An exception this many lines before the end belongs to an earlier problem. A traceback has 10 to 100. */
const recentLines = 300;

/** Collects a child's lines and keeps the few that can explain its death. */
export class DeathCause {
  #lines = 0;
  #exception = '';
  #exceptionLine = 0;
  #lastError = '';
  #lastOutput = '';

  add(stream: OutputStream, line: string): void {
    this.#lines += 1;
    const exception = exceptionLine.exec(line)?.[1];
    if (exception !== undefined && !(this.#hasException && pointsElsewhere.test(exception))) {
      this.#exception = exception.trim();
      this.#exceptionLine = this.#lines;
    }
    if (!saysSomething(line)) return;
    if (stream === 'stderr') this.#lastError = line.trim();
    else this.#lastOutput = line.trim();
  }

  /**
   * Returns the last recent exception that states a cause; without one, the last line of stderr or
   * stdout.
   */
  ofExit(): string {
    return this.#hasException ? this.#exception : this.ofSignal();
  }

  /** Returns the last line, because a process killed from outside printed no cause. */
  ofSignal(): string {
    return this.#lastError || this.#lastOutput;
  }

  get #hasException(): boolean {
    return this.#exception !== '' && this.#lines - this.#exceptionLine < recentLines;
  }
}

/**
 * Returns whether a line may state a cause: it is not a stack frame, a Python warning, or Node's
 * own trailer.
 */
function saysSomething(line: string): boolean {
  return /^[^\s})]/.test(line) && !line.startsWith('Node.js v') && !/\w*Warning: /.test(line);
}
