// Compares a response with the shape of the recorded one: JSON by keys and types, streams by the sequence of
// event shapes, metrics by families, labels and buckets; some values must be equal, text is free.
import { compareMetrics } from './wire-metrics.ts';
import type { WireAnswer, WireCase } from './wire-record.ts';

/** Values that must be equal, by the last key of their path. */
const exactKeys = new Set(
  `object finish_reason stop_reason role type code param index model owned_by status max_model_len
  count tokens token_strs version server_load detail name arguments stop_sequence input_tokens
  output_index content_index reason parent prompt_token_ids token_offsets output_mode tool_choice
  error prompt_tokens original_input_tokens allow_sampling allow_logprobs`.split(/\s+/),
);
/** The same, where every choice of the recorded response ended by length. */
const exactIfLength = new Set(['completion_tokens', 'total_tokens', 'output_tokens']);
/** The sampler chooses which of the model's two end tokens closes a response. */
const freeEnds = /choices\[\]\.stop_reason$/;
/** Objects whose keys are data. */
const maps = [
  /\.top_logprobs\[\]$/,
  /\.prompt_logprobs\[\]$/,
  /^prompt_logprobs\[\]$/,
  /added_tokens_decoder$/,
  /\.metadata$/,
];
/** Arrays that are compared item by item; all others by the set of their items' shapes. */
const lists = /(^|\.)(choices|data|tool_calls|output|content|tools)$|^$/;
const comparedHeaders = ['allow', 'x-request-id', 'location', 'retry-after', 'www-authenticate'];
const idKeys = new Set(['id', 'request_id', 'item_id']);

interface Rules {
  readonly loose: readonly string[];
  readonly exact: readonly string[];
  readonly endsByLength: boolean;
}

/** @returns The first difference, or undefined if the shapes agree. */
export function compareAnswers(
  real: WireAnswer,
  other: WireAnswer,
  one: WireCase,
): string | undefined {
  if (real.status !== other.status) return `status ${other.status}, not ${real.status}`;
  const [realType, otherType] = [contentType(real), contentType(other)];
  if (realType !== otherType) return `content-type ${otherType}, not ${realType}`;
  for (const name of comparedHeaders) {
    const difference = compareHeader(name, header(real, name), header(other, name));
    if (difference) return difference;
  }
  if (real.sse || other.sse) return compareStreams(real, other, one);
  const [a, b] = [real.body ?? '', other.body ?? ''];
  if (realType.startsWith('application/json')) {
    const [realJson, otherJson] = [parse(a), parse(b)];
    return differ(realJson, otherJson, '', rulesOf(one, [realJson]));
  }
  if (one.path === '/metrics') return compareMetrics(a, b);
  return a === b ? undefined : `body is ${b.slice(0, 80)}, not ${a.slice(0, 80)}`;
}

function compareHeader(
  name: string,
  real: string | undefined,
  other: string | undefined,
): string | undefined {
  if (real === undefined) return undefined;
  if (other === undefined) return `header ${name} is missing`;
  const plain = (value: string) =>
    name === 'location'
      ? value.replace(/^https?:\/\/[^/]+/, '')
      : name === 'allow'
        ? value.split(/,\s*/).toSorted().join()
        : idClass(value);
  return plain(real) === plain(other) ? undefined : `header ${name} is ${other}, not ${real}`;
}

function contentType(answer: WireAnswer): string {
  return (header(answer, 'content-type') ?? 'none').toLowerCase().replaceAll(' ', '');
}

function header({ headers = [] }: WireAnswer, name: string): string | undefined {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1];
}

function parse(text: string): unknown {
  return text === '' ? null : JSON.parse(text);
}

/** Returns whether every response in it was cut by length. */
function rulesOf(one: WireCase, bodies: readonly unknown[]): Rules {
  const ends: string[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'finish_reason') ends.push(...(value ? [String(value)] : []));
      else if (key === 'stop_reason' && value === 'max_tokens') ends.push('length');
      else if (key === 'incomplete_details' && value) ends.push('length');
      else visit(value);
    }
  };
  for (const body of bodies) visit(body);
  const endsByLength = ends.length > 0 && ends.every((end) => end === 'length');
  return { loose: one.loose ?? [], exact: one.exact ?? [], endsByLength };
}

function kind(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function lastKey(path: string): string {
  return path.replace(/\[\]$/, '').split('.').at(-1) ?? '';
}

function endsWithOne(path: string, names: readonly string[]): boolean {
  return names.some((name) => path === name || path.endsWith(`.${name}`));
}

/** An id by its prefix: sixteen or more hexadecimal digits stand for any. */
function idClass(value: string): string {
  return value.replace(/[0-9a-f]{16,32}(-\d+)?$/, '*$1');
}

function valueCounts(path: string, rules: Rules): boolean {
  const key = lastKey(path);
  if (endsWithOne(path, rules.loose)) return false;
  return (
    exactKeys.has(key) ||
    endsWithOne(path, rules.exact) ||
    (exactIfLength.has(key) && rules.endsByLength)
  );
}

function isFreeEnd(value: unknown): boolean {
  return value === null || value === 151_643;
}

/** Returns a text that is equal for two values of the same shape. */
function shape(value: unknown, path: string, rules: Rules): string {
  const type = kind(value);
  if (endsWithOne(path, rules.loose)) return 'any';
  if (type === 'object') {
    const entries = Object.entries(value as object);
    if (maps.some((pattern) => pattern.test(path))) {
      const shapes = entries.map(([, one]) => shape(one, `${path}.*`, rules));
      return `{*:${[...new Set(shapes)].toSorted().join('|')}}`;
    }
    const fields = entries.map(([key, one]) => `${key}:${shape(one, child(path, key), rules)}`);
    return `{${fields.toSorted().join()}}`;
  }
  if (type === 'array') {
    const shapes = (value as unknown[]).map((one) => shape(one, `${path}[]`, rules));
    return `[${[...new Set(shapes)].toSorted().join('|')}]`;
  }
  if (freeEnds.test(path) && isFreeEnd(value)) return 'null';
  if (idKeys.has(lastKey(path)) && type === 'string') return `string=${idClass(String(value))}`;
  const isCompared = type !== 'null' && valueCounts(path, rules);
  return isCompared ? `${type}=${JSON.stringify(value)}` : type;
}

function child(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** Returns the first difference between the recorded value and the other one. */
function differ(a: unknown, b: unknown, path: string, rules: Rules): string | undefined {
  if (endsWithOne(path, rules.loose)) return undefined;
  if (freeEnds.test(path) && isFreeEnd(a) && isFreeEnd(b)) return undefined;
  const where = path || 'body';
  const [realKind, otherKind] = [kind(a), kind(b)];
  if (realKind !== otherKind) return `${where} is ${otherKind}, not ${realKind}`;
  if (realKind === 'object' && !maps.some((pattern) => pattern.test(path))) {
    return differByField(a as object, b as object, path, rules);
  }
  if (realKind === 'array' && lists.test(path)) {
    return differByItem(a as unknown[], b as unknown[], path, rules);
  }
  const exactList = realKind === 'array' && valueCounts(path, rules);
  const agree = exactList
    ? JSON.stringify(a) === JSON.stringify(b)
    : shape(a, path, rules) === shape(b, path, rules);
  return agree ? undefined : `${where} is ${brief(b)}, not ${brief(a)}`;
}

function differByField(a: object, b: object, path: string, rules: Rules): string | undefined {
  const where = path || 'body';
  const missing = Object.keys(a).find((key) => !(key in b));
  if (missing) return `${where}.${missing} is missing`;
  const extra = Object.keys(b).find((key) => !(key in a));
  if (extra) return `${where}.${extra} is not in the real one`;
  for (const [key, value] of Object.entries(a)) {
    const found = differ(value, (b as Record<string, unknown>)[key], child(path, key), rules);
    if (found) return found;
  }
  return undefined;
}

function differByItem(
  a: readonly unknown[],
  b: readonly unknown[],
  path: string,
  rules: Rules,
): string | undefined {
  if (a.length !== b.length) return `${path} has ${b.length} items, not ${a.length}`;
  for (const [i, value] of a.entries()) {
    const found = differ(value, b[i], `${path}[]`, rules);
    if (found) return found;
  }
  return undefined;
}

function brief(value: unknown): string {
  return JSON.stringify(value).slice(0, 100);
}

interface WireEvent {
  readonly name: string | undefined;
  readonly data: unknown;
}

function eventsOf({ sse = [] }: WireAnswer): WireEvent[] {
  return sse.flatMap((text) => {
    const name = /^event: ?(.*)$/m.exec(text)?.[1];
    const data = /^data: ?(.*)$/m.exec(text)?.[1];
    if (data === undefined) return [];
    return [{ name, data: data.startsWith('{') ? (JSON.parse(data) as unknown) : data }];
  });
}

/** Returns the shapes of the events per choice, and of all others; a run of equal shapes counts as one. */
function lanes(events: readonly WireEvent[], rules: Rules): Map<string, [string, unknown][]> {
  const found = new Map<string, [string, unknown][]>();
  for (const { name, data } of events) {
    const choices = (data as { choices?: { index?: number }[] }).choices;
    const lane = choices?.length ? `choice ${choices[0]?.index}` : 'events';
    const text = `${name}|${typeof data === 'string' ? data : shape(data, '', rules)}`;
    const sequence = found.get(lane) ?? [];
    found.set(lane, sequence);
    if (sequence.at(-1)?.[0] !== text) sequence.push([text, data]);
  }
  return found;
}

function compareStreams(real: WireAnswer, other: WireAnswer, one: WireCase): string | undefined {
  if (!real.sse || !other.sse) return 'one is an event stream, the other is not';
  const [a, b] = [eventsOf(real), eventsOf(other)];
  const bodies = a.map(({ data }) => data);
  const rules = rulesOf(one, bodies);
  const [realLanes, otherLanes] = [lanes(a, rules), lanes(b, rules)];
  const [realNames, otherNames] = [[...realLanes.keys()], [...otherLanes.keys()]];
  if (realNames.toSorted().join() !== otherNames.toSorted().join()) {
    return `lanes ${otherNames}, not ${realNames}`;
  }
  for (const [lane, expected] of realLanes) {
    const given = otherLanes.get(lane) ?? [];
    for (let i = 0; i < Math.max(expected.length, given.length); i++) {
      const [x, y] = [expected[i], given[i]];
      const at = `stream ${lane}, shape ${i + 1}`;
      if (!x) return `${at}: extra event ${brief(y?.[1])}`;
      if (!y) return `${at}: missing event ${brief(x[1])}`;
      if (x[0] !== y[0]) return `${at}: ${differ(x[1], y[1], '', rules) ?? 'another event name'}`;
    }
  }
  return unsteady(b);
}

/** Checks that a stream keeps its id, and its numbers in order. */
function unsteady(events: readonly WireEvent[]): string | undefined {
  const bodies = events.flatMap(({ data }) =>
    typeof data === 'object' ? [data as Record<string, unknown>] : [],
  );
  const chunks = bodies.filter((body) => 'choices' in body);
  for (const key of ['id', 'request_id', 'created', 'model', 'object']) {
    if (new Set(chunks.map((chunk) => chunk[key])).size > 1) return `stream: ${key} changes`;
  }
  const numbers = bodies.flatMap(({ sequence_number: number }) =>
    number === undefined ? [] : [number],
  );
  // A stream that is read again may begin after its first event.
  return numbers.every((number, i) => number === (numbers[0] as number) + i)
    ? undefined
    : 'stream: numbers out of order';
}
