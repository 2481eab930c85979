// Label selectors, as the API server reads them from a query.

/**
 * @param selector Comma-separated, all of which must hold: `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */
export function matchesSelector(
  labels: Readonly<Record<string, string>>,
  selector: string,
): boolean {
  // Commas within parentheses belong to a list of values.
  return selector.split(/,(?![^(]*\))/).every((part) => matchesRequirement(labels, part.trim()));
}

function matchesRequirement(labels: Readonly<Record<string, string>>, text: string): boolean {
  if (text === '') return true;
  const [, key = '', operator = '', list = ''] =
    /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text) ?? [];
  if (operator !== '') {
    const isListed = list.split(',').some((value) => value.trim() === labels[key]);
    return operator === 'in' ? isListed : !isListed;
  }
  const [, name = '', sign = '', value = ''] = /^([^=!\s]+)\s*(==|=|!=)\s*(.*)$/.exec(text) ?? [];
  if (sign !== '') return sign === '!=' ? labels[name] !== value : labels[name] === value;
  return text.startsWith('!') ? !(text.slice(1).trim() in labels) : text in labels;
}
