// The values that keep a stack on the nodes of its group, as a file for Helm.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { type Group, groupValues } from '../../core/deploy/index.ts';
import { temporaryFolder } from '../../io/temporary/index.ts';

/**
 * Runs the work with the arguments of Helm for a group; none without one. The file may hold tokens: only its owner reads it.
 *
 * @param values As written, after merging; undefined for another chart.
 * @throws {InputError} If the chart is another one, which may not know `nodeSelector` of a model.
 */
export async function withGroupArgs<Result>(
  values: unknown,
  group: Group | undefined,
  work: (args: readonly string[]) => Promise<Result>,
): Promise<Result> {
  if (group === undefined) return work([]);
  if (values === undefined) {
    throw new InputError("--group needs Spillway's own chart: leave out --chart.");
  }
  const folder = temporaryFolder('spillway-group-');
  try {
    const file = join(folder, `group-${group}.json`);
    await writeFile(file, JSON.stringify(groupValues(values, group)), { mode: 0o600 });
    return await work(['-f', file]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
