// Runs suites of helm-unittest (https://github.com/helm-unittest/helm-unittest): the assertions that upstream's suites use.
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { type Manifest, render, withTemplates } from './helm.ts';

type Json = Readonly<Record<string, unknown>>;

interface Suite {
  readonly suite: string;
  readonly templates?: readonly string[];
  readonly tests: readonly Case[];
}

interface Case {
  readonly it: string;
  readonly set?: Json;
  readonly release?: { readonly name?: string; readonly namespace?: string };
  readonly template?: string;
  readonly templates?: readonly string[];
  readonly documentIndex?: number;
  readonly asserts: readonly Json[];
}

/** A case of a suite, and what to run. */
export interface UnitCase {
  readonly name: string;
  /** @throws {Error} If Helm refuses the values, or an assertion does not hold. */
  readonly run: () => Promise<void>;
}

/** helm-unittest's release and namespace where a case names none; Helm itself wants small letters. */
const standard = { release: 'release-name', namespace: 'namespace' };

export function casesOf(text: string): UnitCase[] {
  const suite = parse(text) as Suite;
  return suite.tests.map((one) => ({
    name: `${suite.suite}: ${one.it}`,
    run: () => runCase(suite, one),
  }));
}

async function runCase(suite: Suite, one: Case): Promise<void> {
  const templates = (
    one.templates ??
    (one.template === undefined ? suite.templates : [one.template]) ??
    []
  ).map((name) => name.replace(/^templates\//, ''));
  const rendered = await render({
    chart: withTemplates(suite.templates ?? templates),
    release: one.release?.name ?? standard.release,
    namespace: one.release?.namespace ?? standard.namespace,
    values: nested(one.set ?? {}),
  });
  for (const assertion of one.asserts) {
    const chosen = assertion['template'];
    const names = typeof chosen === 'string' ? [chosen] : templates;
    for (const name of names) {
      const documents = rendered.get(name.replace(/^templates\//, '')) ?? [];
      const problem = check(assertion, documents, one.documentIndex);
      if (problem !== undefined) throw new Error(`${name}: ${problem}`);
    }
  }
}

const neutral = new Set(['template', 'documentIndex', 'documentSelector', 'not', 'count']);

/** Returns what is wrong; undefined if the assertion holds. */
function check(
  assertion: Json,
  all: readonly Manifest[],
  caseIndex: number | undefined,
): string | undefined {
  const kind = Object.keys(assertion).find((key) => !neutral.has(key)) ?? '';
  const given = (assertion[kind] ?? {}) as Json;
  if (kind === 'hasDocuments') {
    const count = given['count'] ?? assertion['count'];
    return all.length === count ? undefined : `${all.length} documents, not ${count}`;
  }
  if (kind === 'containsDocument') {
    const wanted = all.some(
      (document) =>
        document.kind === given['kind'] &&
        document.apiVersion === given['apiVersion'] &&
        (given['name'] === undefined || document.metadata.name === given['name']),
    );
    return wanted ? undefined : `no document ${JSON.stringify(given)}`;
  }
  const documents = chosenDocuments(assertion, all, caseIndex);
  if (documents.length === 0) return `${kind} on no document`;
  for (const document of documents) {
    const value = valueAt(document, String(given['path'] ?? ''));
    if (!holds(kind, given, value)) {
      return `${kind} ${JSON.stringify(given)}, but it is ${JSON.stringify(value)}`;
    }
  }
  return undefined;
}

function chosenDocuments(
  assertion: Json,
  all: readonly Manifest[],
  caseIndex: number | undefined,
): readonly Manifest[] {
  const selector = assertion['documentSelector'] as Json | undefined;
  if (selector) {
    return all.filter((one) =>
      isDeepStrictEqual(valueAt(one, String(selector['path'])), selector['value']),
    );
  }
  const index = (assertion['documentIndex'] as number | undefined) ?? caseIndex;
  return index === undefined ? all : all.slice(index, index + 1);
}

function holds(kind: string, given: Json, value: unknown): boolean {
  switch (kind) {
    case 'equal':
      return same(value, given['value']);
    case 'exists':
      return value !== undefined;
    case 'notExists':
      return value === undefined;
    case 'isNull':
      return value === undefined || value === null;
    case 'contains':
      return contains(value, given);
    case 'notContains':
      return !contains(value, given);
    case 'isSubset':
      return subset(given['content'], value);
    case 'isNotSubset':
      return !subset(given['content'], value);
    case 'matchRegex':
      return new RegExp(String(given['pattern'])).test(String(value));
    case 'notMatchRegex':
      return !new RegExp(String(given['pattern'])).test(String(value));
    default:
      throw new Error(`no assertion of this name here: ${kind}`);
  }
}

function contains(value: unknown, { content, any }: Json): boolean {
  if (typeof value === 'string') return value.includes(String(content));
  if (!Array.isArray(value)) return false;
  return value.some((item) => (any === true ? subset(content, item) : same(item, content)));
}

function subset(content: unknown, value: unknown): boolean {
  if (typeof content !== 'object' || content === null) return same(content, value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(content).every(([key, one]) => same((value as Json)[key], one));
}

/** Equal but for the release's name, whose letters differ where a case names none. */
function same(left: unknown, right: unknown): boolean {
  const lower = (value: unknown) =>
    JSON.parse(
      JSON.stringify(value ?? null)
        .replaceAll('RELEASE-NAME', standard.release)
        .replaceAll('NAMESPACE', standard.namespace),
    );
  return isDeepStrictEqual(lower(left), lower(right));
}

/** Returns the value at a path such as `a.b[0].c` or `data["x.json"]`. */
function valueAt(from: unknown, path: string): unknown {
  const steps = [...path.matchAll(/\["([^"]+)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    ([, quoted, index, plain]) => quoted ?? index ?? plain ?? '',
  );
  return steps.reduce<unknown>(
    (at, step) => (at as Record<string, unknown> | null | undefined)?.[step],
    from,
  );
}

/** Turns keys such as `a.b` into maps. */
function nested(values: Json): Json {
  const result: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(values)) {
    const steps = path.split('.');
    const last = steps.pop() ?? '';
    let at = result;
    for (const step of steps) at = at[step] = (at[step] as Record<string, unknown>) ?? {};
    at[last] = value;
  }
  return result;
}
