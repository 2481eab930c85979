// Turns zod's errors about a file into sentences with places.
import type { z } from 'zod';
import { nearest } from '../base/index.ts';
import { type Problem, shownValue } from './problem.ts';
import { accepts, allowedText, type SchemaNode, schemaAt } from './schema-node.ts';
import { type Dictionary, type Path, pathText, placeAt, type Step, treeAt } from './tree.ts';
import { unknownKeySentence } from './unknown-key.ts';

/** A checked file. */
export interface CheckedFile {
  /** As written, with places. */
  readonly written: Dictionary;
  /** The checked data: the same as plain data, possibly with defaults. */
  readonly plain: unknown;
  /** The schema against which it was checked. */
  readonly root: SchemaNode;
}

/** A problem of one value, with the path of that value. */
export interface Fault extends Problem {
  readonly path: Path;
}

/** Returns one sentence for each fault. */
export function schemaFaults(error: z.ZodError, file: CheckedFile): Fault[] {
  return error.issues.flatMap((issue) => faultsOf(issue, [], file));
}

type Issue = z.core.$ZodIssue;

function faultsOf(issue: Issue, base: Path, file: CheckedFile): Fault[] {
  const { written, plain, root } = file;
  const path = [...base, ...(issue.path as Step[])];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      place: placeAt(written, [...path, key], 'key'),
      sentence: unknownKeySentence(path, key, root),
    }));
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue.errors);
    if (branch) return branch.flatMap((inner) => faultsOf(inner, path, file));
  }
  const value = valueAt(plain, path);
  const node = schemaAt(path, root);
  const allowed = `${pathText(path)} ${value === undefined ? 'is missing; it must be' : 'must be'} ${node ? allowedText(node) : 'something else'}`;
  const sentence =
    value === undefined
      ? allowed
      : `${allowed}, not ${shownValue(value, path)}${hint(value, path, file)}`;
  return [{ path, place: placeAt(written, path), sentence }];
}

/** Returns the alternative of a union that was meant: the one with an error inside, if any. */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return branches.find(
    (issues) =>
      issues.length > 0 &&
      issues.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'),
  );
}

function hint(value: unknown, path: Path, { written, root }: CheckedFile): string {
  const node = schemaAt(path, root);
  if (
    node?.type === 'string' &&
    !node.enum &&
    (typeof value === 'boolean' || typeof value === 'number')
  ) {
    const flag = treeAt(written, path)?.place.line === undefined;
    return flag ? '; use --set-string for a string' : '; put it in quotes';
  }
  if (typeof value === 'string' && node !== undefined) {
    const written = writtenInstead(value, node);
    if (written !== undefined) return `; ${written}`;
  }
  if (typeof value === 'object' && value !== null && node?.type === 'array') {
    if (Array.isArray(value)) return '';
    const [name] = Object.keys(value);
    const isEnvironment = /^(env|extraEnv)$/.test(String(path.at(-1))) && !('name' in value);
    return isEnvironment && name !== undefined
      ? `; write each variable as an item: - {name: ${name}, value: "…"}`
      : '; begin each item with "- "';
  }
  if (typeof value === 'string' && node?.enum) {
    const near = nearest(value, node.enum.map(String));
    if (near !== undefined) return `; did you mean ${near}?`;
  }
  return '';
}

/** Maximum length of a text that is repeated as a list. */
const wordsShownMax = 60;

/** Whether the unit of a size is part of the text. */
function isQuantity(node: SchemaNode): boolean {
  return [node, ...(node.anyOf ?? [])].some(({ pattern }) => pattern?.includes('numkMGTPE'));
}

/** What to write instead of a text that is nearly right. */
function writtenInstead(text: string, node: SchemaNode): string | undefined {
  if (node.type === 'boolean') {
    if (/^\s*(true|yes|y|on|1)\s*$/i.test(text)) return 'write true';
    if (/^\s*(false|no|n|off|0)\s*$/i.test(text)) return 'write false';
  }
  const isNumber = node.type === 'integer' || node.type === 'number';
  const [, seconds] = /^(\d+)\s*s(?:ec(?:onds?)?)?$/.exec(text) ?? [];
  if (isNumber && seconds !== undefined) return `write ${seconds}`;
  if (accepts(node, 'number')) {
    const [, bytes, unit, binary = ''] = /^(\d+(?:\.\d+)?)\s*([kKMGTPE])(i?)B$/.exec(text) ?? [];
    if (bytes !== undefined && isQuantity(node)) return `write ${bytes}${unit}${binary}`;
    const [, gigabytes] = /^(\d+(?:\.\d+)?)\s*Gi?B?$/.exec(text) ?? [];
    if (gigabytes !== undefined && !isQuantity(node)) return `write ${gigabytes}`;
    const [, cores] = /^(\d+(?:\.\d+)?)\s*(?:v?cpus?|cores?|gpus?)$/i.exec(text) ?? [];
    if (cores !== undefined) return `write ${cores}`;
  }
  const isShort =
    text !== '' && text.length <= wordsShownMax && !/key|token|secret|pass/i.test(text);
  if (node.type === 'array' && node.items?.type === 'string' && isShort) {
    return `write a list: ${JSON.stringify(text.trim().split(/\s+/))}`;
  }
  return undefined;
}

/** Returns the value at a path of plain data. */
export function valueAt(plain: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, step)
        ? (value as Record<Step, unknown>)[step]
        : undefined,
    plain,
  );
}
