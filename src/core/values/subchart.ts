// The part of a file of a chart that contains this one, as Helm hands it down to the chart.
import type { Problem } from './problem.ts';
import { type Dictionary, emptyMap, type Path, pathText, treeAt } from './tree.ts';

/** The keys of `--subchart`: `vllm`, or `platform.vllm` for a chart below a chart. */
export function subchartPath(text: string): Path {
  return text.split(/(?<!\\)\./).map((key) => key.replaceAll('\\.', '.'));
}

/**
 * Returns the part of each file; a file without it adds nothing.
 *
 * @returns A problem if no file has it, or if it is not a map.
 */
export function subchartPart(
  trees: readonly Dictionary[],
  path: Path,
): { readonly parts: readonly Dictionary[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  let isFound = false;
  const parts = trees.map((tree) => {
    const part = treeAt(tree, path);
    if (part === undefined) return emptyMap(tree.place.source);
    isFound = true;
    if (part.kind === 'map') return part;
    if (part.kind === 'leaf' && part.value === null) return emptyMap(tree.place.source);
    problems.push({ place: part.place, sentence: `${pathText(path)} must be a map of values` });
    return emptyMap(tree.place.source);
  });
  if (!isFound) {
    const place = trees[0]?.place ?? { source: 'values' };
    const keys = [...(trees[0]?.entries.keys() ?? [])];
    const known = keys.length === 0 ? '' : `; at the top are ${keys.slice(0, 12).join(', ')}`;
    problems.push({
      place: { source: place.source },
      sentence: `--subchart ${pathText(path)}: no file has this key${known}`,
    });
  }
  return { parts, problems };
}
