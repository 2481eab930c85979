// Some metrics of a page, as Prometheus' client libraries return them for `name[]` in a query.

/**
 * Keeps the samples of these names, and the heads of their families.
 *
 * @param names Of samples, as they are written: those of a counter end in `_total`.
 * @example restrictedPage('# HELP a A.\na 2\n# HELP b B.\nb{x="1"} 3\n', new Set(['b'])); // '# HELP b B.\nb{x="1"} 3\n'
 */
export function restrictedPage(page: string, names: ReadonlySet<string>): string {
  let kept = '';
  let head = '';
  for (const line of page.split('\n')) {
    if (line.startsWith('#')) {
      // Each family begins with its help.
      head = line.startsWith('# HELP ') ? `${line}\n` : `${head}${line}\n`;
    } else if (names.has(line.split(/[{ ]/, 1)[0] ?? '')) {
      kept += `${head}${line}\n`;
      head = '';
    }
  }
  return kept;
}
