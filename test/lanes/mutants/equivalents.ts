// Mutants that no test can kill, each with the reason, in equivalent.json. They are identified by file, function
// and the code before and after, not by line.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutant, MutantIdentity } from './mutants.ts';

export interface Equivalent extends MutantIdentity {
  readonly file: string;
  readonly reason: string;
}

export function readEquivalents(): Equivalent[] {
  const text = readFileSync(join(import.meta.dirname, 'equivalent.json'), 'utf8');
  return JSON.parse(text) as Equivalent[];
}

export function isEquivalent(mutant: Mutant, equivalents: readonly Equivalent[]): boolean {
  return equivalents.some((entry) => isSame(entry, mutant));
}

/** Returns whether both are the same change, regardless of its position in the file. */
export function isSame(entry: MutantIdentity & { readonly file: string }, mutant: Mutant): boolean {
  const { within, original, mutated } = mutant.identity;
  return (
    entry.file === mutant.file &&
    entry.within === within &&
    entry.original === original &&
    entry.mutated === mutated
  );
}
