// The live view in a terminal, redrawn in place below the permanent lines.
import { LiveRegion, type TerminalStream } from './live-region.ts';
import { initialView, type LiveCommand, type LiveView, pressKey } from './live-view.ts';
import type { ReadyStack, UpOutput } from './output.ts';
import { readyLines } from './plain-output.ts';
import type { EngineDetails, ProcessSnapshot, StackSnapshot } from './snapshot.ts';
import { parseKeys } from './terminal-keys.ts';
import { paint, type TerminalStyle } from './terminal-style.ts';
import { renderTerminalView, shownNames } from './terminal-view.ts';

export class LiveOutput implements UpOutput {
  readonly #region: LiveRegion;
  readonly #style: TerminalStyle;
  #stack: StackSnapshot | undefined;
  #details: EngineDetails | undefined;
  #view: LiveView = initialView;
  #pageUrl: string | undefined;
  #isStopping = false;
  #order = '';

  constructor(stream: TerminalStream, style: TerminalStyle) {
    this.#region = new LiveRegion(stream);
    this.#style = style;
  }

  starting(summary: string): void {
    this.#region.print(summary);
  }

  processState(process: ProcessSnapshot): void {
    const { name, state, detail } = process;
    // The live view itself shows starting, ready and stopping.
    if (state !== 'restarting') return;
    this.#region.print(paint(`${name} ${state}: ${detail}`, 'warn', this.#style));
    this.redraw();
  }

  childLine(name: string, line: string): void {
    if (!this.#view.showsLogs) return;
    this.#region.print(`${paint(`[${name}]`, 'dim', this.#style)} ${line}`);
    this.redraw();
  }

  /** Address of the web page; undefined before the stack is ready, and if it serves none. */
  get pageUrl(): string | undefined {
    return this.#pageUrl;
  }

  ready(stack: ReadyStack): void {
    this.#pageUrl = stack.pageUrl;
    this.#region.print(readyLines(stack).join('\n'));
  }

  snapshot(stack: StackSnapshot): void {
    this.#stack = stack;
    this.redraw();
  }

  /** Name of the engine whose details are shown. */
  get watchedEngine(): string | undefined {
    return this.#view.panel === 'engine' ? this.#view.selected : undefined;
  }

  engineDetails(details: EngineDetails): void {
    this.#details = details;
    this.redraw();
  }

  /** Takes what the terminal sent. @returns What the program must do, in order. */
  press(data: string): LiveCommand[] {
    const commands: LiveCommand[] = [];
    for (const key of parseKeys(data)) {
      const names = this.#stack === undefined ? [] : shownNames(this.#stack, this.#view);
      const { view, command } = pressKey(this.#view, key, names);
      this.#view = view;
      if (command !== undefined) commands.push(command);
    }
    this.redraw();
    return commands;
  }

  /** Prints a permanent line above the view. */
  note(text: string): void {
    this.#region.print(text);
    this.redraw();
  }

  /** Redraws the last snapshot, e.g. after a resize. */
  redraw(): void {
    if (!this.#stack) return;
    const footer = this.#isStopping
      ? `stopping: ${this.#order}; press Ctrl-C again to stop now`
      : keysOf(this.#view, this.#style);
    const { columns, rows } = this.#region.size;
    const [style, view, details] = [this.#style, this.#view, this.#details];
    this.#region.draw(
      renderTerminalView(this.#stack, { columns, rows, style, footer, view, details }),
    );
  }

  stopping(_reason: string, order: string): void {
    this.#isStopping = true;
    this.#order = order;
    this.redraw();
  }

  stopped(): void {
    this.#region.print('stopped');
    this.#region.end();
  }
}

/** The keys that matter now, in one line. */
function keysOf({ panel, sort, isReversed, showsLogs }: LiveView, style: TerminalStyle): string {
  const arrows = style.hasUnicode ? '↑↓' : 'arrows';
  const keys = {
    list: [
      ...['q quit', `${arrows} Enter engine`, `s sort: ${sort}${isReversed ? ', reversed' : ''}`],
      ...['o page', `l ${showsLogs ? 'hide' : 'show'} logs`, '? keys'],
    ],
    engine: ['Esc back', `${arrows} other engine`, '1 log 2 requests 3 picks', 'q quit', '? keys'],
    help: ['any key: back', 'q quit'],
  }[panel];
  return keys.join(style.hasUnicode ? ' · ' : ' | ');
}
