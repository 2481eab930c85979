// "Did you mean": finds the known name that is most similar to a misspelt one.

/**
 * @returns The candidate that was likely meant: the result of `nearestSpelling`, else a candidate that contains
 * the word or is contained in it, else one that shares the first two thirds of the word.
 * @example nearest('enabled', ['enableRouter']); // 'enableRouter'
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = bare(word);
  return (
    nearestSpelling(word, candidates) ??
    candidates.find((candidate) => overlaps(wanted, bare(candidate)))
  );
}

/**
 * @returns The candidate that is equal apart from case and separators, else the nearest within edits of a third
 * of the word's length.
 * @example nearestSpelling('max_num_seqs', ['maxNumSeqs', 'maxLoras']); // 'maxNumSeqs'
 */
export function nearestSpelling(word: string, candidates: readonly string[]): string | undefined {
  const wanted = bare(word);
  if (wanted === '') return undefined;
  const same = candidates.find((candidate) => bare(candidate) === wanted);
  return same ?? fewestEdits(wanted, candidates);
}

/** Minimum length of a word for partial matches. */
const overlapCharactersMin = 4;

function overlaps(wanted: string, other: string): boolean {
  if (Math.min(wanted.length, other.length) < overlapCharactersMin) return false;
  if (other.includes(wanted) || wanted.includes(other)) return true;
  let same = 0;
  while (same < wanted.length && wanted[same] === other[same]) same++;
  return same >= Math.max(overlapCharactersMin, (wanted.length * 2) / 3);
}

function fewestEdits(wanted: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, bare(candidate), bestEdits);
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

function bare(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Damerau–Levenshtein distance (adjacent swaps count once), or `limit` if it is at least that. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const differs = a[row - 1] === b[column - 1] ? 0 : 1;
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(
        Math.min(
          (above[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (above[column - 1] ?? 0) + differs,
          swapped ? (before[column - 2] ?? 0) + 1 : limit,
        ),
      );
    }
    [before, above] = [above, current];
  }
  return Math.min(limit, above[b.length] ?? limit);
}
