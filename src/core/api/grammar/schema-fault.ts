// Finds what vLLM's grammar library xgrammar refuses in a JSON schema, and what vLLM does not pass
// to it because xgrammar would not enforce it.
import { regexInstance } from './regex-instance.ts';

/** The grammar library: `auto` uses guidance for what xgrammar cannot enforce. */
export type GrammarBackend = 'xgrammar' | 'auto';

type Rules = Readonly<Record<string, unknown>>;

/**
 * @returns vLLM's error message for the schema, or undefined.
 * @example schemaFault({ type: 'nothing' }, 'auto'); // 'Failed to transform … Unsupported type
 * "nothing"'
 */
export function schemaFault(schema: unknown, backend: GrammarBackend): string | undefined {
  if (!isRules(schema)) {
    return 'Failed to transform json schema into a grammar: The schema should be a string or a Pydantic model';
  }
  if (backend === 'xgrammar' && hasUnsupported(schema)) {
    return 'The provided JSON schema contains features not supported by xgrammar.';
  }
  try {
    checkNode(schema, { root: schema, backend, visited: new Set() });
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `Failed to transform json schema into a grammar: ${reason}`;
  }
}

function isRules(value: unknown): value is Rules {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Formats that xgrammar enforces; it accepts others without enforcing them, so vLLM refuses those.
 */
const supportedFormats: ReadonlySet<unknown> = new Set(
  `email date time date-time duration ipv4 ipv6 hostname uuid uri uri-reference uri-template
  json-pointer relative-json-pointer`.split(/\s+/),
);

/** @see has_xgrammar_unsupported_json_features in vllm/v1/structured_output/backend_xgrammar.py */
function hasUnsupported(rules: Rules): boolean {
  const types = new Set([rules['type']].flat());
  const isNumber = types.has('integer') || types.has('number');
  const { propertyNames: names, patternProperties: patterns, allOf } = rules;
  const checks: readonly boolean[] = [
    isNumber && 'multipleOf' in rules,
    types.has('array') &&
      ['uniqueItems', 'contains', 'minContains', 'maxContains'].some((key) => key in rules),
    types.has('string') && 'format' in rules && !supportedFormats.has(rules['format']),
    types.has('string') && boundsPattern(rules),
    types.has('object') &&
      'propertyNames' in rules &&
      ((isRules(names) && boundsPattern(names)) ||
        'patternProperties' in rules ||
        'properties' in rules ||
        (rules['unevaluatedProperties'] ?? true) !== true),
    types.has('object') &&
      isRules(patterns) &&
      ('properties' in rules || Object.keys(patterns).length > 1),
    Array.isArray(allOf) && allOf.length > 1,
  ];
  return (
    checks.includes(true) ||
    Object.values(rules).some((value) =>
      [value].flat().some((one) => isRules(one) && hasUnsupported(one)),
    )
  );
}

function boundsPattern(rules: Rules): boolean {
  return (
    ('pattern' in rules || 'format' in rules) && ('minLength' in rules || 'maxLength' in rules)
  );
}

interface Context {
  readonly root: Rules;
  readonly backend: GrammarBackend;
  /** Targets of references that have been checked or are being checked. */
  readonly visited: Set<string>;
}

function fault(text: string): never {
  throw new Error(text);
}

/** Follows xgrammar's json_schema_converter.cc: the first of these keywords decides. */
function checkNode(schema: unknown, context: Context): void {
  if (schema === true) return;
  if (schema === false) {
    if (context.backend === 'auto') return;
    fault("Schema 'false' cannot accept any value");
  }
  if (!isRules(schema)) fault(`Schema should be an object or bool, but got ${spelled(schema)}`);
  if ('$ref' in schema) checkReference(schema['$ref'], context);
  else if ('const' in schema) return;
  else if ('enum' in schema) checkEnum(schema['enum']);
  else if ('anyOf' in schema) checkEach('anyOf', schema['anyOf'], context);
  else if ('oneOf' in schema) checkEach('oneOf', schema['oneOf'], context);
  else if ('allOf' in schema) checkAllOf(schema['allOf'], context);
  else if ('type' in schema) {
    const { type } = schema;
    for (const one of Array.isArray(type) ? type : [type]) checkType(one, schema, context);
  } else if (
    ['properties', 'additionalProperties', 'unevaluatedProperties'].some((key) => key in schema)
  ) {
    checkObject(schema, context);
  } else if (['items', 'prefixItems', 'unevaluatedItems'].some((key) => key in schema)) {
    checkArray(schema, context);
  }
}

function spelled(value: unknown): string {
  return JSON.stringify(value);
}

function checkReference(reference: unknown, context: Context): void {
  if (typeof reference !== 'string') fault('$ref must be a string');
  if (reference === '#' || !reference.startsWith('#/') || context.visited.has(reference)) return;
  context.visited.add(reference);
  let at: unknown = context.root;
  for (const part of reference.slice(2).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !(key in at)) {
      fault(`Cannot find field ${key} in ${reference}`);
    }
    at = (at as Rules)[key];
  }
  checkNode(at, context);
}

function checkEnum(values: unknown): void {
  if (!Array.isArray(values)) fault('enum must be an array');
  if (values.length === 0) fault('enum array must not be empty');
}

function checkEach(keyword: string, schemas: unknown, context: Context): void {
  if (!Array.isArray(schemas)) fault(`${keyword} must be an array`);
  for (const one of schemas) checkNode(one, context);
}

/** For several schemas that must all hold, xgrammar accepts any JSON. */
function checkAllOf(schemas: unknown, context: Context): void {
  if (!Array.isArray(schemas)) fault('allOf must be an array');
  if (schemas.length === 1) checkNode(schemas[0], context);
}

function checkType(type: unknown, rules: Rules, context: Context): void {
  switch (type) {
    case 'null':
    case 'boolean':
      return;
    case 'string':
      checkString(rules);
      return;
    case 'integer':
    case 'number':
      checkNumber(type, rules, context);
      return;
    case 'array':
      checkArray(rules, context);
      return;
    case 'object':
      checkObject(rules, context);
      return;
    default:
      fault(typeof type === 'string' ? `Unsupported type "${type}"` : 'Type should be a string');
  }
}

const integerMost = 2 ** 31 - 1;

function checkString(rules: Rules): void {
  for (const key of ['format', 'pattern']) {
    if (key in rules && typeof rules[key] !== 'string') fault('type mismatch!');
  }
  if (typeof rules['format'] === 'string' && supportedFormats.has(rules['format'])) return;
  if (typeof rules['pattern'] === 'string') {
    regexInstance(rules['pattern']);
    return;
  }
  for (const key of ['minLength', 'maxLength']) {
    const value = rules[key];
    if (value === undefined || (Number.isInteger(value) && Number(value) <= integerMost)) continue;
    fault(`${key} must be an integer not exceeding ${integerMost}`);
  }
  const [least, most] = [Number(rules['minLength'] ?? 0), rules['maxLength']];
  if (most !== undefined && least > Number(most)) {
    fault(`minLength ${least} is greater than maxLength ${most}`);
  }
}

function checkNumber(type: 'integer' | 'number', rules: Rules, { backend }: Context): void {
  const bound = (key: string): number | undefined => {
    const value = rules[key];
    if (value === undefined) return undefined;
    // Draft 4 had booleans here.
    if (typeof value === 'boolean' && key.startsWith('exclusive') && backend === 'auto') {
      return undefined;
    }
    if (typeof value !== 'number') fault('Value must be a number');
    if (type === 'number') return value;
    if (!Number.isInteger(value) && backend === 'xgrammar') {
      fault('Integer constraint must be a whole number');
    }
    if (value > 2 ** 63) fault('Integer exceeds maximum limit');
    if (value < -(2 ** 63)) fault('Integer exceeds minimum limit');
    return value;
  };
  const [least, above] = [bound('minimum'), bound('exclusiveMinimum')];
  const [most, below] = [bound('maximum'), bound('exclusiveMaximum')];
  const step = type === 'integer' ? 1 : 0;
  const low = Math.max(least ?? -Infinity, (above ?? -Infinity) + step);
  const high = Math.min(most ?? Infinity, (below ?? Infinity) - step);
  if (low > high) fault('Invalid range: minimum greater than maximum');
}

function checkArray(rules: Rules, context: Context): void {
  const { items, prefixItems: prefix } = rules;
  if (prefix !== undefined) checkEach('prefixItems', prefix, context);
  const fixed = Array.isArray(prefix) ? prefix.length : 0;
  if (Array.isArray(items) && context.backend === 'auto') {
    for (const one of items) checkNode(one, context);
    return;
  }
  if (items !== undefined && typeof items !== 'boolean' && !isRules(items)) {
    fault('items must be a boolean or an object');
  }
  if (isRules(items)) checkNode(items, context);
  const [least, most] = [Number(rules['minItems'] ?? 0), Number(rules['maxItems'] ?? Infinity)];
  if (least > most) fault(`minItems is greater than maxItems: ${least} > ${most}`);
  if (items === false && least > fixed) {
    fault(
      `minItems is greater than the number of prefixItems, but additional items are not allowed: ${least} > ${fixed}`,
    );
  }
}

function checkObject(rules: Rules, context: Context): void {
  const { properties, required, propertyNames: names } = rules;
  for (const key of ['properties', 'patternProperties']) {
    const value = rules[key];
    if (value === undefined) continue;
    if (!isRules(value)) fault(`${key} must be an object`);
    for (const one of Object.values(value)) checkNode(one, context);
    if (key === 'patternProperties') for (const one of Object.keys(value)) regexInstance(one);
  }
  if (required !== undefined) {
    if (!Array.isArray(required)) fault('required must be an array');
    if (required.some((name) => typeof name !== 'string')) fault('type mismatch!');
  }
  if (names !== undefined) {
    if (!isRules(names) || (names['type'] ?? 'string') !== 'string') {
      fault('propertyNames must be an object that validates string');
    }
    checkNode(names, context);
  }
  for (const key of ['additionalProperties', 'unevaluatedProperties']) {
    const value = rules[key];
    if (value !== undefined && typeof value !== 'boolean') checkNode(value, context);
  }
  const count = (key: string): number | undefined => {
    const value = rules[key];
    if (value === undefined) return undefined;
    if (!Number.isInteger(value) || Number(value) < 0) {
      fault(`${key} must be a non-negative integer`);
    }
    return Number(value);
  };
  const [least, most] = [count('minProperties') ?? 0, count('maxProperties') ?? Infinity];
  if (least > most) fault(`minProperties is greater than maxProperties: ${least} > ${most}`);
  const needed = Array.isArray(required) ? required.length : 0;
  if (isRules(properties) && most < needed) {
    fault(`maxProperties is less than the number of required properties: ${most} < ${needed}`);
  }
}
