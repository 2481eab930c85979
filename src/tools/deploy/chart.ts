// The chart to install: this program's own, or another one.
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { InputError } from '../../core/base/index.ts';
import { at, listAt, textAt } from '../../core/kubernetes/index.ts';
import type { Helm } from './helm.ts';

/** Where the chart is: beside the bundle in a published package, in charts/ in a clone. */
export function ownChart(): string {
  const candidates = [
    join(import.meta.dirname, '..', 'charts', 'spillway'),
    join(import.meta.dirname, '..', '..', '..', 'charts', 'spillway'),
  ];
  const found = candidates.find((folder) => existsSync(join(folder, 'Chart.yaml')));
  if (found !== undefined) return found;
  throw new InputError('This installation of Spillway has no chart; name one with --chart.');
}

export interface ChartOptions {
  /** A folder, an archive, or what Helm finds: `oci://…`, `repository/name`. */
  readonly chart: string;
  /** Merged values, by which subcharts are on or off. */
  readonly values: unknown;
  /** Folder for a copy. */
  readonly scratch: string;
  readonly helm: Helm;
}

/**
 * Returns what to give to Helm. Helm refuses a folder without its subcharts, also if they are off; such a folder is copied
 * without them, and they are fetched only if the values ask for one.
 *
 * @throws {InputError} If there is no such folder.
 * @throws {DeployError} If subcharts cannot be fetched.
 */
export async function prepareChart({
  chart,
  values,
  scratch,
  helm,
}: ChartOptions): Promise<string> {
  const isFolder = await stat(chart).then(
    (found) => found.isDirectory(),
    () => undefined,
  );
  if (isFolder === undefined && /^[./~]|^[A-Za-z]:[\\/]/.test(chart)) {
    throw new InputError(`--chart ${chart}: no such file or folder; check the path.`);
  }
  if (!isFolder) return chart;
  const file = join(chart, 'Chart.yaml');
  const text = await readFile(file, 'utf8').catch(() => {
    throw new InputError(`--chart ${chart}: the folder has no Chart.yaml.`);
  });
  const description: unknown = parse(text);
  const dependencies = listAt(description, 'dependencies');
  if (await hasAll(join(chart, 'charts'), dependencies)) return chart;
  const copy = join(scratch, textAt(description, 'name') || basename(chart));
  await cp(chart, copy, { recursive: true });
  const wanted = dependencies.filter((dependency) => {
    const condition = textAt(dependency, 'condition');
    return condition === '' || at(values, ...condition.split('.')) === true;
  });
  await rm(join(copy, 'Chart.lock'), { force: true });
  await rm(join(copy, 'charts'), { recursive: true, force: true });
  const kept = { ...(description as object), dependencies: wanted };
  await writeFile(join(copy, 'Chart.yaml'), stringify(kept));
  if (wanted.length > 0) await helm.run(['dependency', 'update', copy], 300_000);
  return copy;
}

/** Whether a folder has all dependencies: "helm dependency build" leaves an empty one if it fails. */
async function hasAll(folder: string, dependencies: readonly unknown[]): Promise<boolean> {
  const there = await readdir(folder).catch((): string[] => []);
  return dependencies.every((dependency) => {
    const name = textAt(dependency, 'name');
    return there.some((entry) => entry === name || entry.startsWith(`${name}-`));
  });
}
