// What an expression of PromQL reads, and the expression that Prometheus gets from a panel.

/** Values of a dashboard's variables. */
export interface VariableValues {
  /** Length of the window of `rate`, as in `1m`. */
  readonly rateInterval: string;
  readonly values?: Readonly<Record<string, string>>;
}

/** The query of a panel with its variables filled in; those without a value match everything. */
export function filledIn(
  expression: string,
  { rateInterval, values = {} }: VariableValues,
): string {
  return expression
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll(/\$(\w+)/g, (_, name: string) => values[name] ?? '.*');
}

/** Words of PromQL that are no metric and not followed by a parenthesis. */
const keywords = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'bool']);
const operators = new Set(['and', 'or', 'unless', 'offset', 'atan2', 'inf', 'nan']);

/** The names of the metrics that an expression reads, each once. */
export function metricNames(expression: string): readonly string[] {
  const bare = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '""')
    .replaceAll(/\$\w+/g, '1')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  const names = [...bare.matchAll(/[A-Za-z_:][\w:]*/g)]
    .filter(({ index }) => !/[\d.]$/.test(bare.slice(0, index)))
    .filter(({ 0: name, index }) => !/^\s*\(/.test(bare.slice(index + name.length)))
    .map(([name]) => name)
    .filter((name) => !keywords.has(name) && !operators.has(name.toLowerCase()));
  return [...new Set(names)];
}
