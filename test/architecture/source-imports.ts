// The imports of src, and the tables of docs/ARCHITECTURE.md that say which of them are allowed.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '..', '..');
export const source = join(root, 'src');

export interface SourceImport {
  /** Path below src. */
  readonly file: string;
  readonly specifier: string;
  /** Path below src, for relative imports. */
  readonly target: string | undefined;
}

/** All files of src, as paths below it. */
export const files: readonly string[] = globSync('**/*.ts', { cwd: source });

export const imports: readonly SourceImport[] = files.flatMap(importsOf);

/**
 * Reads the table in one section of docs/ARCHITECTURE.md.
 *
 * @param heading The section's, without its marks.
 * @returns The first column, mapped to the names in the last, in the order of the rows.
 */
export function tableOf(heading: string): ReadonlyMap<string, readonly string[]> {
  const page = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8');
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return new Map(
    [...section.matchAll(/^\| `([^`]+)` \|[^|]*\|([^|]*)\|$/gm)].map(
      ([, name = '', allowed = '']) => [
        name,
        [...allowed.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one),
      ],
    ),
  );
}

export function describe({ file, specifier }: SourceImport): string {
  return `${file} imports ${specifier}`;
}

function importsOf(file: string): SourceImport[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier = '']) => ({
    file,
    specifier,
    target: specifier.startsWith('.')
      ? belowSource(join(source, dirname(file), specifier))
      : undefined,
  }));
}

function belowSource(path: string): string | undefined {
  const below = relative(source, path);
  return below.startsWith('..') ? undefined : below;
}
