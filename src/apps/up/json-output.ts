// One JSON object per line, for programs: events as they happen, and a full snapshot every second.
import type { LineWriter } from './line-writer.ts';
import type { ReadyStack, UpOutput } from './output.ts';
import type { ProcessSnapshot, StackSnapshot } from './snapshot.ts';

export class JsonOutput implements UpOutput {
  readonly #out: LineWriter;
  readonly #log: LineWriter;

  /** @param log Receives the children's own lines, which are not JSON. */
  constructor(out: LineWriter, log: LineWriter) {
    this.#out = out;
    this.#log = log;
  }

  starting(summary: string): void {
    this.#event('starting', { summary });
  }

  processState(process: ProcessSnapshot): void {
    this.#event('process', { ...process });
  }

  childLine(name: string, line: string): void {
    this.#log.line(`[${name}] ${line}`);
  }

  ready(stack: ReadyStack): void {
    const { apiUrl, pageUrl, prometheusUrl, cacheUrl, models, engines } = stack;
    const watched = {
      ...(prometheusUrl !== undefined && { prometheus: prometheusUrl }),
      ...(cacheUrl !== undefined && { cache: cacheUrl }),
    };
    if (engines === undefined)
      this.#event('ready', { url: apiUrl, page: pageUrl, ...watched, models });
    else this.#event('ready', { url: null, router: false, engines, ...watched, models });
  }

  snapshot(stack: StackSnapshot): void {
    this.#event('snapshot', { ...stack });
  }

  stopping(reason: string): void {
    this.#event('stopping', { reason });
  }

  stopped(): void {
    this.#event('stopped', {});
  }

  #event(event: string, fields: Readonly<Record<string, unknown>>): void {
    this.#out.line(JSON.stringify({ event, ...fields }));
  }
}
