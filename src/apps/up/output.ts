// What `spillway up` tells its user, in one of three forms: live picture, plain lines, JSON lines.
import type { ProcessSnapshot, StackSnapshot } from './snapshot.ts';

/** All that is known when the stack can serve. */
export interface ReadyNews {
  /** Base URL of the API, with /v1. */
  readonly apiUrl: string;
  /** The web page; undefined if it is not served. */
  readonly pageUrl: string | undefined;
  readonly models: readonly string[];
  readonly curl: string;
  readonly openaiNode: readonly string[];
  readonly startSeconds: number;
}

export interface UpOutput {
  /** What is about to start, in one line. */
  starting(summary: string): void;
  processState(process: ProcessSnapshot): void;
  childLine(name: string, line: string): void;
  ready(news: ReadyNews): void;
  snapshot(stack: StackSnapshot): void;
  /** @param reason The signal's name, or the key that was pressed. */
  stopping(reason: string): void;
  /** All is stopped; the output must leave the terminal as it was. */
  stopped(): void;
}
