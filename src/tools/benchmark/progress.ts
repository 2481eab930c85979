// Shows the progress of a run: a bar on a terminal, otherwise a plain line every 10 s.
import type { ReplayProgress } from './replay.ts';

/** Destination of the progress, such as `process.stderr`. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const barIntervalSeconds = 0.1;
const lineIntervalSeconds = 10;

/**
 * Creates a display that accepts every change and writes at most every 0.1 s (bar) or 10 s (lines).
 *
 * @returns `done` removes the bar, so that the next text starts on a clean line.
 */
export function createProgressDisplay(output: ProgressOutput): {
  update(progress: ReplayProgress): void;
  done(): void;
} {
  const isBar = output.isTTY === true;
  const interval = isBar ? barIntervalSeconds : lineIntervalSeconds;
  let nextSeconds = interval;
  return {
    update(progress) {
      const isEnd = progress.completed + progress.failed === progress.total;
      if (progress.seconds < nextSeconds && !(isEnd && isBar)) return;
      nextSeconds = progress.seconds + interval;
      const width = Math.min(30, (output.columns ?? 80) - 60);
      output.write(
        isBar ? `\r\x1b[2K${bar(progress, width)}${text(progress)}` : `${text(progress)}\n`,
      );
    },
    done() {
      if (isBar) output.write('\r\x1b[2K');
    },
  };
}

function text({ total, sent, completed, failed, seconds }: ReplayProgress): string {
  const failures = failed === 0 ? '' : `, ${failed} failed`;
  const all = total === undefined ? '' : `/${total}`;
  return `${seconds.toFixed(0)} s: ${completed}${all} done${failures}, ${sent - completed - failed} in flight`;
}

function bar({ total, completed, failed }: ReplayProgress, width: number): string {
  if (width < 5 || total === undefined) return '';
  const full = Math.floor(((completed + failed) / total) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}] `;
}
