// Plain lines for logs and pipes: no colour, no cursor codes.

import { counted } from '../../core/base/index.ts';
import type { LineWriter } from './line-writer.ts';
import type { ReadyStack, UpOutput } from './output.ts';
import type { ProcessSnapshot, StackSnapshot } from './snapshot.ts';

/** Minimum interval between lines of totals. */
const summaryIntervalSeconds = 10;

export class PlainOutput implements UpOutput {
  readonly #out: LineWriter;
  readonly #log: LineWriter;
  #lastSummarySeconds = 0;
  #lastRequests = 0;

  /**
   * @param out Receives the stack's own lines: ready, totals.
   * @param log Receives the children's own lines, and changes of their state.
   */
  constructor(out: LineWriter, log: LineWriter) {
    this.#out = out;
    this.#log = log;
  }

  starting(summary: string): void {
    this.#out.line(summary);
  }

  processState({ name, state, detail }: ProcessSnapshot): void {
    this.#log.line(`[up] ${name} ${state}${detail === '' ? '' : `: ${detail}`}`);
  }

  childLine(name: string, line: string): void {
    this.#log.line(`[${name}] ${line}`);
  }

  ready(stack: ReadyStack): void {
    for (const line of readyLines(stack)) this.#out.line(line);
  }

  snapshot({ router }: StackSnapshot): void {
    if (!router || router.requests === this.#lastRequests) return;
    if (router.uptimeSeconds - this.#lastSummarySeconds < summaryIntervalSeconds) return;
    this.#lastSummarySeconds = router.uptimeSeconds;
    this.#lastRequests = router.requests;
    this.#out.line(
      `requests ${router.requests}, ${router.requestsPerSecond.toFixed(1)}/s, in flight ${router.inflight}, errors ${router.errors}`,
    );
  }

  stopping(reason: string, order: string): void {
    this.#out.line(`stopping (${reason}): ${order}`);
  }

  stopped(): void {
    this.#out.line('stopped');
  }
}

/** The lines that are printed when the stack can serve, in every form for people. */
export function readyLines(stack: ReadyStack): string[] {
  return [
    ...(stack.engines === undefined
      ? [`ready: ${stack.apiUrl}`]
      : [
          `ready: ${counted(stack.engines.length, 'engine')} without a router`,
          ...stack.engines.map(({ name, url }) => `${name}: ${url}/v1`),
        ]),
    ...(stack.pageUrl === undefined ? [] : [`page:  ${stack.pageUrl}`]),
    ...(stack.prometheusUrl === undefined ? [] : [`prometheus: ${stack.prometheusUrl}`]),
    ...(stack.cacheUrl === undefined ? [] : [`cache: ${stack.cacheUrl}`]),
    '',
    stack.curl,
    '',
    ...stack.nodeLines,
    '',
  ];
}
