// The lines that two texts do not share.

/** Equal lines that are kept around a change. */
const contextLines = 3;
/** Product of the numbers of lines above which only the beginning and the end are compared. */
const cellsMax = 4_000_000;

/**
 * Longest common subsequence of lines, in the form of `diff -u` without positions.
 *
 * @returns Lines that begin with ' ', '+' or '-', with `…` where equal lines are left out. Empty if the texts are equal.
 */
export function lineDiff(before: string, after: string): readonly string[] {
  const [old, now] = [linesOf(before), linesOf(after)];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start += 1;
  let end = 0;
  const rest = Math.min(old.length, now.length) - start;
  while (end < rest && old[old.length - 1 - end] === now[now.length - 1 - end]) end += 1;
  const same = (lines: readonly string[]) => lines.map((line) => ` ${line}`);
  const middle = changed(old.slice(start, old.length - end), now.slice(start, now.length - end));
  if (middle.length === 0) return [];
  return shortened([...same(old.slice(0, start)), ...middle, ...same(old.slice(old.length - end))]);
}

function changed(old: readonly string[], now: readonly string[]): string[] {
  const removed = (lines: readonly string[]) => lines.map((line) => `-${line}`);
  const added = (lines: readonly string[]) => lines.map((line) => `+${line}`);
  if (old.length * now.length > cellsMax) return [...removed(old), ...added(now)];
  const width = now.length + 1;
  /** Length of the longest common subsequence of the rests from (i, j). */
  const lengths = new Uint32Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      const below = lengths[(i + 1) * width + j] ?? 0;
      const right = lengths[i * width + j + 1] ?? 0;
      const next = lengths[(i + 1) * width + j + 1] ?? 0;
      lengths[i * width + j] = old[i] === now[j] ? next + 1 : Math.max(below, right);
    }
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < old.length && j < now.length) {
    if (old[i] === now[j]) {
      lines.push(` ${old[i]}`);
      [i, j] = [i + 1, j + 1];
    } else if ((lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0)) {
      lines.push(`-${old[i]}`);
      i += 1;
    } else {
      lines.push(`+${now[j]}`);
      j += 1;
    }
  }
  return [...lines, ...removed(old.slice(i)), ...added(now.slice(j))];
}

/** Leaves out equal lines far from a change. */
function shortened(lines: readonly string[]): readonly string[] {
  const isNear = lines.map((_, index) =>
    lines
      .slice(Math.max(0, index - contextLines), index + contextLines + 1)
      .some((line) => !line.startsWith(' ')),
  );
  const shown: string[] = [];
  for (const [index, line] of lines.entries()) {
    if (isNear[index]) shown.push(line);
    else if (shown.at(-1) !== '…') shown.push('…');
  }
  return shown;
}

function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}
