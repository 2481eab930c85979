// Shows the progress of a simulation on a terminal.
import { counted } from '../../core/base/index.ts';
import { count } from '../../tools/report/index.ts';

const barCells = 30;

/** Returns a bar on a terminal; shows nothing elsewhere. */
export function progressBar(): {
  readonly show: ((done: number, total: number | undefined) => void) | undefined;
  clear(): void;
} {
  if (!process.stderr.isTTY) return { show: undefined, clear: () => {} };
  return {
    show(done, total) {
      const share = total === undefined ? undefined : Math.min(1, done / total);
      const filled = Math.round((share ?? 0) * barCells);
      const cells =
        share === undefined ? '' : `[${'█'.repeat(filled)}${' '.repeat(barCells - filled)}] `;
      const progress =
        total === undefined
          ? counted(done, 'request')
          : `${count(done)} of ${counted(total, 'request')}`;
      process.stderr.write(`\r\x1b[2K${cells}${progress}`);
    },
    clear: () => void process.stderr.write('\r\x1b[2K'),
  };
}
