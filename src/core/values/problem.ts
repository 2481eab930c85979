// A problem of the given values, as one sentence with its place.
import { counted, InputError, plainLine } from '../base/index.ts';
import { type Path, type Place, pathText } from './tree.ts';

export interface Problem {
  readonly place: Place;
  /**
   * A sentence without its full stop (a question mark stays): what is wrong, what is allowed, what
   * to do.
   */
  readonly sentence: string;
}

/** Invalid values, with all their problems. */
export class ValuesError extends InputError {
  readonly problems: readonly Problem[];

  /** @param problems At least one. */
  constructor(problems: readonly Problem[]) {
    const lines = problemLines(problems);
    super(
      lines.length === 1 ? lines.join('') : ['these values cannot be used:', ...lines].join('\n'),
    );
    this.problems = problems;
  }
}

/** Maximum number of problems printed in one report; further ones are counted. */
const problemsShownMax = 20;

/**
 * Returns one line per problem: `FILE:LINE:COLUMN: SENTENCE.`
 *
 * @param shownMax Maximum number of lines; further problems are counted.
 */
export function problemLines(
  problems: readonly Problem[],
  shownMax: number = problemsShownMax,
): string[] {
  const lines = problems
    .slice(0, shownMax)
    .map(({ place, sentence }) =>
      plainLine(`${placeText(place)}: ${sentence}${sentence.endsWith('?') ? '' : '.'}`),
    );
  const rest = problems.length - lines.length;
  if (rest > 0) lines.push(`… and ${counted(rest, 'more problem')}.`);
  return lines;
}

/**
 * Returns one line per sentence, regardless of the indexes in it: of a key that many entries of a list have, the first place, and
 * the number of the others.
 *
 * @example
 * groupedLines(problems); // ['v.yaml:4:5: models[0].hpa has no effect. The same holds for 2 more entries.']
 */
export function groupedLines(problems: readonly Problem[]): string[] {
  const groups = new Map<string, { readonly first: Problem; count: number }>();
  for (const problem of problems) {
    const pattern = problem.sentence.replace(/\[\d+\]/g, '[]');
    const group = groups.get(pattern);
    if (group === undefined) groups.set(pattern, { first: problem, count: 1 });
    else group.count++;
  }
  return [...groups.values()].flatMap(({ first, count }) =>
    problemLines([first]).map((line) =>
      count === 1
        ? line
        : `${line} The same holds for ${counted(count - 1, 'more entry', 'more entries')}.`,
    ),
  );
}

/** Returns `my.yaml:3:7`, or the flag as given. */
function placeText({ source, line, column }: Place): string {
  return line === undefined ? source : `${source}:${line}:${column ?? 1}`;
}

/** Formats a value for a sentence; secrets are not repeated. */
export function shownValue(value: unknown, path: Path): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'string') {
    if (/token|api_?key|secret|password|credential/i.test(pathText(path))) return 'a text';
    const shown =
      value.length > shownCharactersMax ? `${value.slice(0, shownCharactersMax)}…` : value;
    return `the text ${JSON.stringify(shown)}`;
  }
  return secretKey.test(pathText(path)) ? `a ${typeof value}` : String(value);
}

/** Keys whose values are not repeated, also if they are numbers; those with "tokens" count some. */
const secretKey = /token(?!s|iz)|api_?key|secret|password|credential/i;

/** Returns the text of a `--set` without values of keys that have secrets. */
export function withoutSecrets(assignments: string): string {
  return assignments.replaceAll(/([^=,]*)=((?:\\.|[^,\\])*)/g, (whole, key: string) =>
    secretKey.test(key) ? `${key}=…` : whole,
  );
}

const shownCharactersMax = 40;
