// One thing that is wrong with the values given, as one sentence with its place.
import { InputError } from '../base/index.ts';
import { type Path, type Place, pathText } from './tree.ts';

export interface Problem {
  readonly place: Place;
  /** A sentence without its full stop (a question mark stays): what is wrong, what is allowed, what to do. */
  readonly sentence: string;
}

/** Values that cannot be used, and every reason why. */
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

/** Most problems that one report prints; the rest is counted. */
const problemsShownMax = 20;

/** One line per problem: `FILE:LINE:COLUMN: SENTENCE.` */
export function problemLines(problems: readonly Problem[]): string[] {
  const lines = problems
    .slice(0, problemsShownMax)
    .map(
      ({ place, sentence }) =>
        `${placeText(place)}: ${sentence}${sentence.endsWith('?') ? '' : '.'}`,
    );
  const rest = problems.length - lines.length;
  if (rest > 0) lines.push(`… and ${rest} more ${rest === 1 ? 'problem' : 'problems'}.`);
  return lines;
}

/** `my.yaml:3:7`, or the flag as it was given. */
function placeText({ source, line, column }: Place): string {
  return line === undefined ? source : `${source}:${line}:${column ?? 1}`;
}

/** What a value looks like in a sentence; secrets are not repeated. */
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
  return String(value);
}

const shownCharactersMax = 40;
