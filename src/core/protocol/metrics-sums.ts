// A page of metrics as sums by name: what a counter says over all of its labels.

/**
 * Adds up the samples of each name in the Prometheus text format, whatever their labels.
 *
 * @example metricSums('a{x="1"} 2\na{x="2"} 3\n').get('a'); // 5
 */
export function metricSums(page: string): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const line of page.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const nameEnd = line.search(/[{ ]/);
    if (nameEnd < 0) continue;
    const labelsEnd = line.lastIndexOf('}');
    const text = line.slice(labelsEnd < 0 ? nameEnd : labelsEnd + 1).trim();
    const value = Number(text.split(' ')[0]);
    if (!Number.isFinite(value)) continue;
    const name = line.slice(0, nameEnd);
    sums.set(name, (sums.get(name) ?? 0) + value);
  }
  return sums;
}
