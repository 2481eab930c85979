// What Helm would hand down to this chart from the files of a chart that contains it.
import { parseValues } from './parse.ts';
import { ValuesError } from './problem.ts';
import { subchartPart, subchartPath } from './subchart.ts';
import { toPlain } from './tree.ts';
import { helmYaml } from './yaml-dialect.ts';

/**
 * The part of each file, as plain data with its nulls, by which Helm removes defaults.
 *
 * @param files Texts with their names for errors.
 * @param subchart Keys below which the values are: `vllm`.
 * @throws {ValuesError} If a file is no YAML, or no file has the part.
 */
export function subchartValues(
  files: readonly { readonly name: string; readonly text: string }[],
  subchart: string,
): readonly unknown[] {
  const parsed = files.map(({ name, text }) => parseValues(text, name, helmYaml, 'last'));
  const { parts, problems } = subchartPart(
    parsed.map(({ tree }) => tree),
    subchartPath(subchart),
  );
  const all = [...parsed.flatMap((one) => one.problems), ...problems];
  if (all.length > 0) throw new ValuesError(all);
  return parts.map(toPlain);
}
