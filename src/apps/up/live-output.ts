// The live picture in a terminal, redrawn in place below the lines that stay.
import { LiveRegion, type TerminalStream } from './live-region.ts';
import type { ReadyNews, UpOutput } from './output.ts';
import { readyLines } from './plain-output.ts';
import type { ProcessSnapshot, StackSnapshot } from './snapshot.ts';
import { paint, type TerminalStyle } from './terminal-style.ts';
import { renderTerminalView } from './terminal-view.ts';

export class LiveOutput implements UpOutput {
  readonly #region: LiveRegion;
  readonly #style: TerminalStyle;
  #stack: StackSnapshot | undefined;
  #showsLogs = false;
  #isStopping = false;

  constructor(stream: TerminalStream, style: TerminalStyle) {
    this.#region = new LiveRegion(stream);
    this.#style = style;
  }

  starting(summary: string): void {
    this.#region.print(summary);
  }

  processState(process: ProcessSnapshot): void {
    const { name, state, detail } = process;
    // Starting, ready and stopping show in the picture.
    if (state !== 'restarting') return;
    this.#region.print(paint(`${name} ${state}: ${detail}`, 'warn', this.#style));
    this.redraw();
  }

  childLine(name: string, line: string): void {
    if (!this.#showsLogs) return;
    this.#region.print(`${paint(`[${name}]`, 'dim', this.#style)} ${line}`);
    this.redraw();
  }

  ready(news: ReadyNews): void {
    this.#region.print(readyLines(news).join('\n'));
  }

  snapshot(stack: StackSnapshot): void {
    this.#stack = stack;
    this.redraw();
  }

  /** Draws the last picture again, e.g. after a resize. */
  redraw(): void {
    if (!this.#stack) return;
    const footer = this.#isStopping
      ? 'stopping: the router finishes what runs; Ctrl-C again stops at once'
      : `q quit · l ${this.#showsLogs ? 'hide' : 'show'} logs`;
    const { columns, rows } = this.#region.size;
    this.#region.draw(
      renderTerminalView(this.#stack, { columns, rows, style: this.#style, footer }),
    );
  }

  /** Shows the children's lines above the picture, or no longer. */
  toggleLogs(): void {
    this.#showsLogs = !this.#showsLogs;
    this.redraw();
  }

  stopping(): void {
    this.#isStopping = true;
    this.redraw();
  }

  stopped(): void {
    this.#region.print('stopped');
    this.#region.end();
  }
}
