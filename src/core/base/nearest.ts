// "Did you mean": the known name that a misspelt one is nearest to.

/**
 * @returns The nearest candidate: same letters apart from case and separators, else within a
 * third of the word's length in edits, else one that holds the word or is held by it.
 * @example nearest('max_num_seqs', ['maxNumSeqs', 'maxLoras']); // 'maxNumSeqs'
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const wanted = bare(word);
  if (wanted === '') return undefined;
  const same = candidates.find((candidate) => bare(candidate) === wanted);
  if (same !== undefined) return same;
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  let best: string | undefined;
  let bestEdits = limit + 1;
  for (const candidate of candidates) {
    const edits = editDistance(wanted, bare(candidate), bestEdits);
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  if (best !== undefined) return best;
  if (wanted.length < 4) return undefined;
  return candidates.find((candidate) => {
    const other = bare(candidate);
    return other.length >= 4 && (other.includes(wanted) || wanted.includes(other));
  });
}

function bare(word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '');
}

/** Damerau–Levenshtein distance (adjacent swaps count once), or `limit` as soon as it is reached. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const differs = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + differs,
      );
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    [before, above] = [above, current];
  }
  return Math.min(limit, above[b.length] ?? limit);
}
