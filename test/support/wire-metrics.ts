// Compares two pages of metrics: families, types, label names and bucket bounds; values are free.

/** @returns The first difference, or undefined. */
export function compareMetrics(real: string, other: string): string | undefined {
  const [a, b] = [metricShapes(real), metricShapes(other)];
  for (const [name, form] of a) {
    if (b.get(name) !== form) return `metric ${name} is ${b.get(name) ?? 'missing'}, not ${form}`;
  }
  const extra = [...b.keys()].find((name) => !a.has(name));
  return extra && `metric ${extra} is not in the real one`;
}

/** Family to type, and sample with its label names to its bucket bounds. */
function metricShapes(page: string): Map<string, string> {
  const shapes = new Map<string, string>();
  for (const line of page.split('\n')) {
    const family = /^# TYPE (vllm:\S+) (\S+)/.exec(line);
    // The client library of the real vLLM also exports a NAME_created for each counter and histogram.
    if (family?.[1] && !family[1].endsWith('_created')) shapes.set(family[1], family[2] ?? '');
    const [, name, , labels = ''] = /^(vllm:[^\s{]+)(\{(.*)\})? /.exec(line) ?? [];
    if (!name || name.endsWith('_created')) continue;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
    const key = `${name}{${pairs.map(([, label]) => label)}}`;
    const bounds = pairs.filter(([, label]) => label === 'le').map(([, , bound]) => bound);
    const before = (shapes.get(key) ?? '').split(' ').filter(Boolean);
    shapes.set(key, [...new Set([...before, ...bounds])].toSorted().join(' '));
  }
  return shapes;
}
