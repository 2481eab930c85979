// What a deployment would change: the objects of two revisions, and whether the API server would accept the new ones.

import type { Cluster } from './cluster.ts';
import { DeployError } from './deploy-error.ts';
import type { Kinds } from './kinds.ts';
import { lineDiff } from './line-diff.ts';
import { canonicalYaml, type Manifest, nameOf } from './manifests.ts';

export interface ObjectChange {
  readonly object: string;
  readonly kind: 'create' | 'change' | 'remove' | 'keep';
  /** Lines with ' ', '+' or '-' before them; empty if it is kept. */
  readonly diff: readonly string[];
}

/** Compares by kind and name, in the order of the new objects; removed ones follow. */
export function changesBetween(
  before: readonly Manifest[],
  after: readonly Manifest[],
): readonly ObjectChange[] {
  const old = new Map(before.map((object) => [nameOf(object), object]));
  const changes = after.map((object): ObjectChange => {
    const name = nameOf(object);
    const former = old.get(name);
    old.delete(name);
    const text = canonicalYaml(object);
    if (former === undefined) return { object: name, kind: 'create', diff: lineDiff('', text) };
    // Secrets are shown without values, so they are compared as they are.
    const isSame = JSON.stringify(former) === JSON.stringify(object);
    const diff = isSame ? [] : lineDiff(canonicalYaml(former), text);
    return { object: name, kind: isSame ? 'keep' : 'change', diff };
  });
  const removed = [...old].map(
    ([object, former]): ObjectChange => ({
      ...{ object, kind: 'remove', diff: lineDiff(canonicalYaml(former), '') },
    }),
  );
  return [...changes, ...removed];
}

/**
 * Asks the API server to apply each object without keeping it, with all fields validated.
 *
 * @returns One sentence per object that it refuses.
 */
export async function refusals(
  cluster: Cluster,
  kinds: Kinds,
  manifests: readonly Manifest[],
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const manifest of manifests) {
    const path = await kinds.pathOf(manifest);
    if (path === undefined) {
      found.push(
        `${nameOf(manifest)}: the cluster does not know ${manifest.kind} of ${manifest.apiVersion}`,
      );
      continue;
    }
    try {
      await cluster.send({
        ...{ method: 'PATCH', contentType: 'application/apply-patch+yaml' },
        path: `${path}?fieldManager=helm&force=true&dryRun=All&fieldValidation=Strict`,
        body: JSON.stringify(manifest),
      });
    } catch (error) {
      if (!(error instanceof DeployError)) throw error;
      found.push(`${nameOf(manifest)}: ${(error.cause as Error).message}`);
    }
  }
  return found;
}
