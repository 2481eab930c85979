// Shows the progress of a run: a bar on a terminal, otherwise a plain line every 10 s.
import { duration } from '../report/index.ts';
import type { ReplayProgress } from './replay.ts';

/** Destination of the progress, such as `process.stderr`. */
export interface ProgressOutput {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

const barWidthMax = 30;
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
      const line = text(progress);
      const width = Math.min(barWidthMax, (output.columns ?? 80) - line.length - 4);
      output.write(isBar ? `\r\x1b[2K${bar(progress, width)}${line}` : `${line}\n`);
    },
    done() {
      if (isBar) output.write('\r\x1b[2K');
    },
  };
}

function text(progress: ReplayProgress): string {
  const { total, sent, completed, failed, seconds } = progress;
  const failures = failed === 0 ? '' : `, ${failed} failed`;
  const all = total === undefined ? '' : `/${total}`;
  const rate = seconds < 1 ? '' : ` (${(completed / seconds).toFixed(1)}/s)`;
  const left = leftSeconds(progress);
  const time = left === undefined ? '' : `, ${duration(Math.ceil(left))} left`;
  return `${seconds.toFixed(0)} s: ${completed}${all} done${rate}${failures}, ${sent - completed - failed} in flight${time}`;
}

/** Time until the last request is due or, in a closed loop, until all are complete at the rate so far. */
function leftSeconds(progress: ReplayProgress): number | undefined {
  const { total, completed, failed, seconds, lastSeconds } = progress;
  if (lastSeconds !== undefined) return Math.max(0, lastSeconds - seconds);
  const ended = completed + failed;
  return total === undefined || ended === 0 ? undefined : ((total - ended) / ended) * seconds;
}

function bar({ total, completed, failed }: ReplayProgress, width: number): string {
  if (width < 5 || total === undefined) return '';
  const full = Math.floor(((completed + failed) / total) * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}] `;
}
