// Generates the mutants of a source file: copies with one small mistake each.
import { parseSync } from 'oxc-parser';
import { type Node, replacementsOf } from './operators.ts';

/** One change to one file. */
export interface Mutant {
  /** Path relative to the repository. */
  readonly file: string;
  readonly line: number;
  /** UTF-16 offsets of the replaced code. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  readonly operator: string;
  /** Identifies the change, independent of its line number. */
  readonly identity: MutantIdentity;
}

/** A change, identified by its content. */
export interface MutantIdentity {
  /** Names of the enclosing functions and classes, outermost first, joined by dots. */
  readonly within: string;
  /** The lines before and after the change. */
  readonly original: string;
  readonly mutated: string;
}

/**
 * Returns all mutants of a file in source order. Types, imports, error messages and tables of constants are not
 * mutated.
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

/** Applies a mutant to its source text. */
export function mutated(source: string, { start, end, replacement }: Mutant): string {
  return source.slice(0, start) + replacement + source.slice(end);
}

function isSkipped(node: Node): boolean {
  if (node.type.startsWith('TS')) return !typeWrappers.has(node.type);
  if (node.type === 'ImportDeclaration' || node.type === 'ExportAllDeclaration') return true;
  return isTable(node);
}

/** Expressions that wrap a value with a type. */
const typeWrappers: ReadonlySet<string> = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
]);

/** Returns whether a node is an object or array of constants and names only: a test would only repeat it. */
function isTable(node: Node): boolean {
  const isList = node.type === 'ObjectExpression' || node.type === 'ArrayExpression';
  return isList && isConstant(node) && numbersIn(node) >= tableNumbersMin;
}

/** An object or array with fewer numbers is an argument or a default, and is mutated. */
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
