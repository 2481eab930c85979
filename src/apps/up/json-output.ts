// One JSON object per line, for programs: events as they happen, and the whole picture each second.
import type { LineWriter } from './line-writer.ts';
import type { ReadyNews, UpOutput } from './output.ts';
import type { ProcessSnapshot, StackSnapshot } from './snapshot.ts';

export class JsonOutput implements UpOutput {
  readonly #out: LineWriter;
  readonly #log: LineWriter;

  /** @param log The children's own lines: not JSON of ours, so they go elsewhere. */
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

  ready(news: ReadyNews): void {
    this.#event('ready', { url: news.apiUrl, page: news.pageUrl, models: news.models });
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
