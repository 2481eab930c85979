// Converts values of YAML or JSON to words of a command line.
import type { ModelEntry } from '../values/index.ts';

/**
 * Returns the value of an entry at a key such as `vllmConfig.maxModelLen`; undefined if there is
 * none.
 */
export function valueAt(entry: ModelEntry, key: string): unknown {
  return key
    .split('.')
    .reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], entry);
}

/** Returns one word per item of a list, otherwise one. */
export function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(textOf) : [textOf(value)];
}

/**
 * Returns whether a value sets nothing: it is off, empty or null, or a section that is not enabled.
 */
export function isOff(data: unknown): boolean {
  if (data === null || data === false || data === '') return true;
  if (typeof data !== 'object') return false;
  return (data as { enabled?: unknown }).enabled === false || Object.values(data).every(isOff);
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
