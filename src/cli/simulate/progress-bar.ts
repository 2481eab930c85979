// How far a simulation is, on a terminal.

const barCells = 30;

/** A bar on a terminal, nothing elsewhere. */
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
      const of = total === undefined ? '' : ` of ${total}`;
      process.stderr.write(`\r\x1b[2K${cells}${done}${of} requests`);
    },
    clear: () => void process.stderr.write('\r\x1b[2K'),
  };
}
