// The mutants of a source file: each is the file with one small mistake in it.
import { parseSync } from 'oxc-parser';
import { type Node, replacementsOf } from './operators.ts';

/** One change to one file. */
export interface Mutant {
  /** Path below the repository. */
  readonly file: string;
  readonly line: number;
  /** UTF-16 offsets of what is replaced. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  readonly operator: string;
  /** The change, which stays the same when the lines above it move. */
  readonly identity: MutantIdentity;
}

/** What a mutant changes, by content. */
export interface MutantIdentity {
  /** The named functions and classes around it, outermost first, joined by dots. */
  readonly within: string;
  /** The lines before and after the change. */
  readonly original: string;
  readonly mutated: string;
}

/**
 * All mutants of a file, in the order of its text. Types, imports, the text of errors and tables of
 * constants have none.
 *
 * @throws {Error} If the file does not parse.
 */
export function mutantsOf(file: string, source: string): Mutant[] {
  const { program, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} does not parse: ${errors[0]?.message}`);
  const lineStarts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const mutants: Mutant[] = [];

  const visit = (node: Node, names: readonly string[]): void => {
    if (isSkipped(node)) return;
    const inner = nameOf(node) ? [...names, nameOf(node)] : names;
    for (const { operator, node: replaced, text } of replacementsOf(node, source)) {
      const { start, end } = replaced;
      const line = lineStarts.findLastIndex((lineStart) => lineStart <= start);
      const [head, tail] = [lineStarts[line] ?? 0, source.indexOf('\n', end)];
      const rest = source.slice(end, tail === -1 ? undefined : tail);
      mutants.push({
        ...{ file, line: line + 1, start, end, replacement: text, operator },
        identity: {
          within: inner.join('.'),
          original: oneLine(source.slice(head, end) + rest),
          mutated: oneLine(source.slice(head, start) + text + rest),
        },
      });
    }
    // An error is made of its message; that it is thrown is a decision, its words are none.
    if (node.type === 'ThrowStatement') return;
    for (const child of childrenOf(node)) visit(child, inner);
  };

  visit(program as unknown as Node, []);
  return mutants;
}

/** Applies a mutant to the text that it was made from. */
export function mutated(source: string, { start, end, replacement }: Mutant): string {
  return source.slice(0, start) + replacement + source.slice(end);
}

function isSkipped(node: Node): boolean {
  if (node.type.startsWith('TS')) return !typeWrappers.has(node.type);
  if (node.type === 'ImportDeclaration' || node.type === 'ExportAllDeclaration') return true;
  return isTable(node);
}

/** Expressions that carry a type beside their value. */
const typeWrappers: ReadonlySet<string> = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
]);

/** An object or array of constants and names alone: data with a source, which a test would only repeat. */
function isTable(node: Node): boolean {
  const isList = node.type === 'ObjectExpression' || node.type === 'ArrayExpression';
  return isList && isConstant(node) && numbersIn(node) >= tableNumbersMin;
}

/** With fewer numbers it is an argument or a default, which decides something. */
const tableNumbersMin = 3;

function isConstant(node: Node): boolean {
  switch (node.type) {
    case 'Literal':
    case 'Identifier':
      return true;
    case 'UnaryExpression':
    case 'SpreadElement':
      return isConstant(node['argument'] as Node);
    case 'BinaryExpression':
      return isConstant(node['left'] as Node) && isConstant(node['right'] as Node);
    case 'Property':
      return !node['computed'] && isConstant(node['value'] as Node);
    case 'ObjectExpression':
    case 'ArrayExpression':
      return childrenOf(node).every(isConstant);
    default:
      return false;
  }
}

function numbersIn(node: Node): number {
  if (node.type === 'Literal') return typeof node['value'] === 'number' ? 1 : 0;
  return childrenOf(node).reduce((sum, child) => sum + numbersIn(child), 0);
}

function childrenOf(node: Node): Node[] {
  return Object.entries(node).flatMap(([, value]) => {
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    return list.filter(
      (item): item is Node => typeof (item as Node | null)?.type === 'string' && item !== null,
    );
  });
}

function nameOf(node: Node): string {
  const named: Readonly<Record<string, string>> = {
    FunctionDeclaration: 'id',
    ClassDeclaration: 'id',
    MethodDefinition: 'key',
    PropertyDefinition: 'key',
    VariableDeclarator: 'id',
  };
  const key = named[node.type];
  if (key === undefined) return '';
  if (node.type === 'VariableDeclarator') {
    const init = node['init'] as Node | null;
    if (init?.type !== 'ArrowFunctionExpression') return '';
  }
  return String((node[key] as Node | null)?.['name'] ?? '');
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
