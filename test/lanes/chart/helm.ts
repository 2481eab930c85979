// Renders charts/spillway with a Helm program. The subcharts, which would have to be downloaded, are left out.
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments, stringify } from 'yaml';
import { faultsOf } from './rendered-objects.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const own = join(root, 'charts', 'spillway');
const folder = mkdtempSync(join(tmpdir(), 'spillway-chart-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Copies a chart without its subcharts. */
export function withoutSubcharts(source: string, name: string): string {
  const copy = join(folder, name);
  cpSync(source, copy, { recursive: true });
  const file = join(copy, 'Chart.yaml');
  const [text = ''] = readFileSync(file, 'utf8').split(/^(?:#.*\n)*dependencies:/m);
  writeFileSync(file, text);
  rmSync(join(copy, 'Chart.lock'), { force: true });
  return copy;
}

/** This chart, ready to render. */
export const chart = withoutSubcharts(own, 'spillway');

/** A parent chart that has this one as a dependency with a condition. */
export function withUmbrella(): string {
  const umbrella = join(folder, 'platform');
  mkdirSync(join(umbrella, 'templates'), { recursive: true });
  cpSync(chart, join(umbrella, 'charts', 'spillway'), { recursive: true });
  const dependency = '{name: spillway, version: 0.1.0, condition: spillway.enabled}';
  writeFileSync(
    join(umbrella, 'Chart.yaml'),
    `apiVersion: v2\nname: platform\nversion: 0.1.0\ndependencies:\n  - ${dependency}\n`,
  );
  return umbrella;
}

/** Upstream's repository: the parts in test/support/upstream, or the checkout that UPSTREAM names. */
export const upstream = process.env['UPSTREAM'] || join(root, 'test', 'support', 'upstream');

/** Upstream's chart, ready to install. */
export function upstreamChart(): string {
  return withoutSubcharts(join(upstream, 'helm'), 'upstream');
}

/** Paths of all values files in upstream's repository, relative to it. */
export const upstreamValues: readonly string[] = globSync('**/*.yaml', {
  cwd: upstream,
  exclude: ['helm/templates/**', 'helm/tests/**', 'operator/**', '.git/**'],
})
  .filter((file) =>
    /^(servingEngineSpec|routerSpec):/m.test(readFileSync(join(upstream, file), 'utf8')),
  )
  .toSorted();

/** Helm programs to test with: HELM_PROGRAMS, separated by spaces. */
export const helms = (process.env['HELM_PROGRAMS'] ?? 'helm').split(' ').filter(Boolean);
export const helm = helms[0] ?? 'helm';

/** A Kubernetes object. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [key: string]: unknown };
  // biome-ignore lint/suspicious/noExplicitAny: tests look anywhere into an object
  readonly [key: string]: any;
}

export interface RenderOptions {
  readonly program?: string;
  readonly chart?: string;
  readonly release?: string;
  readonly namespace?: string;
  /** Files of values, before `values`. */
  readonly files?: readonly string[];
  readonly values?: unknown;
  /** APIs that the cluster has besides Kubernetes' own. @default that of Prometheus Operator */
  readonly apiVersions?: readonly string[];
  /** Whether the objects must fit together, for this chart. @default true */
  readonly checked?: boolean;
}

/** A copy of the chart with some of its templates only, as helm-unittest renders a suite. */
export function withTemplates(names: readonly string[]): string {
  const key = names.toSorted().join('+');
  const known = partial.get(key);
  if (known !== undefined) return known;
  const copy = join(folder, `part-${partial.size}`);
  cpSync(chart, copy, {
    recursive: true,
    filter: (file) =>
      !/templates\/[^_].*\.(yaml|txt)$/.test(file) || names.includes(basename(file)),
  });
  partial.set(key, copy);
  return copy;
}

const partial = new Map<string, string>();

/** Its API, on which spillway.observability.prometheus depends. */
const operatorVersion = 'monitoring.coreos.com/v1';

let counter = 0;

/**
 * Renders the chart.
 *
 * @returns The objects of each template, by the template's file name.
 * @throws {Error} If Helm refuses; the message has its words. Also if an API server would refuse the objects.
 */
export async function render(options: RenderOptions = {}): Promise<Map<string, Manifest[]>> {
  const { program = helm, release = 'vllm', namespace = 'default', files = [], values } = options;
  const given = join(folder, `values-${++counter}.yaml`);
  if (values !== undefined) writeFileSync(given, stringify(values));
  const { stdout } = await promisify(execFile)(
    program,
    [
      ...['template', release, options.chart ?? chart, '--namespace', namespace],
      ...(options.apiVersions ?? [operatorVersion]).flatMap((one) => ['--api-versions', one]),
      ...[...files, ...(values === undefined ? [] : [given])].flatMap((file) => ['-f', file]),
    ],
    { timeout: 60_000, maxBuffer: 32 << 20 },
  );
  const isOwn = options.chart === undefined;
  // Upstream's templates repeat keys, of which Kubernetes takes the last.
  const rendered = byTemplate(stdout, isOwn);
  const faults = isOwn && options.checked !== false ? faultsOf([...rendered.values()].flat()) : [];
  if (faults.length > 0) throw new Error(`Kubernetes would refuse this:\n${faults.join('\n')}`);
  return rendered;
}

/** Renders the chart with one list of all objects. */
export async function objects(values: unknown, options: RenderOptions = {}): Promise<Manifest[]> {
  return [...(await render({ ...options, values })).values()].flat();
}

/** Returns the one object of a kind whose name ends so. */
export function one(all: readonly Manifest[], kind: string, ending = ''): Manifest {
  const found = all.filter((o) => o.kind === kind && o.metadata.name.endsWith(ending));
  if (found.length === 1) return found[0] as Manifest;
  throw new Error(`${found.length} objects ${kind} …${ending}, not one`);
}

function byTemplate(text: string, uniqueKeys: boolean): Map<string, Manifest[]> {
  const found = new Map<string, Manifest[]>();
  for (const part of text.split(/^---\n/m)) {
    const [, template] = /^# Source: (?:[^/]+\/charts\/)?[^/]+\/templates\/(.*)$/m.exec(part) ?? [];
    if (template === undefined) continue;
    const manifests = found.get(template) ?? [];
    found.set(template, manifests);
    for (const document of parseAllDocuments(part, { uniqueKeys })) {
      const [problem] = document.errors;
      if (problem) throw new Error(`${template}: ${problem.message}`);
      const value = document.toJS() as Manifest | null;
      if (value !== null) manifests.push(value);
    }
  }
  for (const [template, manifests] of found) manifests.sort(asWritten(template));
  return found;
}

/** Helm sorts objects by kind; this is their order in the template. */
function asWritten(template: string): (a: Manifest, b: Manifest) => number {
  const file = join(chart, 'templates', template);
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const kinds = [...text.matchAll(/^kind: (\w+)/gm)].map(([, kind]) => kind);
  const rank = ({ kind }: Manifest) => (kinds.includes(kind) ? kinds.indexOf(kind) : kinds.length);
  return (a, b) => rank(a) - rank(b);
}
