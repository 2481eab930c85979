// What `spillway up` prints, in one of three forms: live view, plain lines, JSON lines.
import type { EngineDetails, ProcessSnapshot, StackSnapshot } from './snapshot.ts';

/** What is printed once the stack can serve. */
export interface ReadyStack {
  /** Base URL of the router's API, with /v1; undefined without a router. */
  readonly apiUrl: string | undefined;
  /** The engines, if clients call them directly because there is no router. */
  readonly engines?: readonly ReadyEngine[] | undefined;
  /** The web page; undefined if it is not served. */
  readonly pageUrl: string | undefined;
  /** The Prometheus that watches it; undefined if none was asked for. */
  readonly prometheusUrl?: string | undefined;
  /** The cache server that its engines share; undefined if none was asked for. */
  readonly cacheUrl?: string | undefined;
  readonly models: readonly string[];
  readonly curl: string;
  readonly nodeLines: readonly string[];
  readonly startSeconds: number;
}

export interface ReadyEngine {
  readonly name: string;
  /** Base URL, without /v1. */
  readonly url: string;
  readonly model: string;
}

export interface UpOutput {
  /** @param summary What is about to start, in one line. */
  starting(summary: string): void;
  processState(process: ProcessSnapshot): void;
  childLine(name: string, line: string): void;
  ready(stack: ReadyStack): void;
  snapshot(stack: StackSnapshot): void;
  /** Name of the engine whose details the user looks at; undefined for none. */
  readonly watchedEngine?: string | undefined;
  engineDetails?(details: EngineDetails): void;
  /**
   * @param reason The signal's name, or the key that was pressed.
   * @param order What stops when, for people.
   */
  stopping(reason: string, order: string): void;
  /** Called when everything has stopped; the output must leave the terminal as it was. */
  stopped(): void;
}
