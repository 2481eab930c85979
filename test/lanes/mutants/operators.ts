// The mutation operators: replacements of one node of a syntax tree. Each is a typical programming mistake, such as
// an inverted comparison, a swapped sign or a missing check.

/** A node of the ESTree that oxc-parser returns; offsets count UTF-16 units. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** A replacement of one node. */
export interface Replacement {
  readonly operator: string;
  /** The replaced node, or a part of it. */
  readonly node: Node;
  readonly text: string;
}

/** Returns all replacements of a node in a fixed order; none for nodes that decide nothing. */
export function replacementsOf(node: Node, source: string): Replacement[] {
  const text = (part: unknown): string => {
    const { start, end } = part as Node;
    return source.slice(start, end);
  };
  switch (node.type) {
    case 'BinaryExpression':
      return binary(node, text);
    case 'LogicalExpression':
      return logical(node, text);
    case 'AssignmentExpression': {
      const swapped = swappedAssignments.get(String(node['operator']));
      return swapped
        ? [
            {
              operator: 'arithmetic',
              node,
              text: `${text(node['left'])} ${swapped} ${text(node['right'])}`,
            },
          ]
        : [];
    }
    case 'UpdateExpression': {
      const swapped = node['operator'] === '++' ? '--' : '++';
      const argument = text(node['argument']);
      return [
        {
          operator: 'arithmetic',
          node,
          text: node['prefix'] ? swapped + argument : argument + swapped,
        },
      ];
    }
    case 'UnaryExpression':
      return ['!', '-'].includes(String(node['operator']))
        ? [{ operator: 'sign', node, text: `(${text(node['argument'])})` }]
        : [];
    case 'IfStatement':
    case 'WhileStatement': {
      const condition = node['test'] as Node;
      return [{ operator: 'condition', node: condition, text: `!(${text(condition)})` }];
    }
    case 'ConditionalExpression': {
      const [consequent, alternate] = [text(node['consequent']), text(node['alternate'])];
      const swapped = `(${text(node['test'])} ? ${alternate} : ${consequent})`;
      return [{ operator: 'condition', node, text: swapped }];
    }
    case 'Literal':
      return literal(node);
    case 'ReturnStatement':
      return node['argument'] ? emptied(node['argument'] as Node) : [];
    case 'ArrowFunctionExpression': {
      const body = node['body'] as Node;
      return body.type === 'BlockStatement' ? [] : emptied(body);
    }
    case 'ExpressionStatement':
      return removable.has((node['expression'] as Node).type)
        ? [{ operator: 'removal', node, text: ';' }]
        : [];
    case 'ThrowStatement':
      return [{ operator: 'removal', node, text: ';' }];
    case 'CallExpression':
      return call(node, source, text);
    default:
      return [];
  }
}

const swappedComparisons: ReadonlyMap<string, readonly string[]> = new Map([
  ['<', ['<=', '>=']],
  ['<=', ['<', '>']],
  ['>', ['>=', '<=']],
  ['>=', ['>', '<']],
  ['===', ['!==']],
  ['!==', ['===']],
]);

const swappedArithmetic: ReadonlyMap<string, string> = new Map([
  ['+', '-'],
  ['-', '+'],
  ['*', '/'],
  ['/', '*'],
  ['%', '*'],
  ['**', '*'],
  ['<<', '>>'],
  ['>>', '<<'],
  ['>>>', '<<'],
  ['&', '|'],
  ['|', '&'],
  ['^', '&'],
]);

const swappedAssignments: ReadonlyMap<string, string> = new Map([
  ['+=', '-='],
  ['-=', '+='],
  ['*=', '/='],
  ['/=', '*='],
  ['??=', '='],
]);

/** Methods that are easily confused. */
const swappedMethods: ReadonlyMap<string, string> = new Map([
  ['min', 'max'],
  ['max', 'min'],
  ['some', 'every'],
  ['every', 'some'],
  ['floor', 'ceil'],
  ['ceil', 'floor'],
  ['round', 'floor'],
  ['startsWith', 'endsWith'],
  ['endsWith', 'startsWith'],
  ['push', 'unshift'],
]);

/** Methods whose call may be missing, which leaves only the receiver. */
const droppedMethods: ReadonlySet<string> = new Set([
  'filter',
  'sort',
  'toSorted',
  'reverse',
  'toReversed',
  'slice',
  'trim',
  'toLowerCase',
  'toUpperCase',
]);

const removable: ReadonlySet<string> = new Set([
  'CallExpression',
  'AwaitExpression',
  'AssignmentExpression',
  'UpdateExpression',
  'ChainExpression',
]);

type TextOf = (part: unknown) => string;

function binary(node: Node, text: TextOf): Replacement[] {
  const operator = String(node['operator']);
  const [left, right] = [node['left'] as Node, node['right'] as Node];
  const to = (replaced: string) => `(${text(left)} ${replaced} ${text(right)})`;
  const comparisons = swappedComparisons.get(operator);
  if (comparisons)
    return comparisons.map((other) => ({ operator: 'comparison', node, text: to(other) }));
  const other = swappedArithmetic.get(operator);
  if (other === undefined || [left, right].some(isText)) return [];
  return [{ operator: 'arithmetic', node, text: to(other) }];
}

function logical(node: Node, text: TextOf): Replacement[] {
  const [left, right] = [text(node['left']), text(node['right'])];
  switch (node['operator']) {
    case '&&':
      return [{ operator: 'logic', node, text: `(${left} || ${right})` }];
    case '||':
      return [{ operator: 'logic', node, text: `(${left} && ${right})` }];
    default:
      return [{ operator: 'default', node, text: `(${left})` }];
  }
}

function literal(node: Node): Replacement[] {
  const { value, raw } = node as Node & { readonly value: unknown; readonly raw: string };
  if (typeof value === 'boolean') return [{ operator: 'boolean', node, text: String(!value) }];
  if (typeof value === 'bigint') return [{ operator: 'number', node, text: `${value + 1n}n` }];
  if (typeof value !== 'number') return [];
  // Rounding swallows the 1 beyond 2 ** 53.
  return value + 1 === value ? [] : [{ operator: 'number', node, text: `(${raw} + 1)` }];
}

/** Drops a result; not for constants, which other operators change. */
function emptied(result: Node): Replacement[] {
  const isConstant = result.type === 'Literal' || result['name'] === 'undefined';
  return isConstant ? [] : [{ operator: 'result', node: result, text: 'undefined' }];
}

function call(node: Node, source: string, text: TextOf): Replacement[] {
  const callee = node['callee'] as Node;
  if (callee.type !== 'MemberExpression' || callee['computed']) return [];
  const property = callee['property'] as Node;
  const name = String(property['name']);
  const swapped = swappedMethods.get(name);
  if (swapped) {
    const [head, rest] = [
      source.slice(node.start, property.start),
      source.slice(property.end, node.end),
    ];
    return [{ operator: 'method', node, text: head + swapped + rest }];
  }
  return droppedMethods.has(name) && !callee['optional']
    ? [{ operator: 'method', node, text: text(callee['object']) }]
    : [];
}

function isText(node: Node): boolean {
  return (
    node.type === 'TemplateLiteral' ||
    (node.type === 'Literal' && typeof node['value'] === 'string')
  );
}
