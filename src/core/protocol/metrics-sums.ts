// Sums of a metrics page by name, over all labels.

/**
 * Sums the samples of each name in the Prometheus text format, regardless of labels.
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
