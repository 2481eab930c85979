// Mutants that no test can notice, each with the reason why, kept in equivalent.json. They are told
// by their content: file, function, and the code before and after.
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

/** Whether both are the same change, wherever in the file it stands. */
export function isSame(entry: MutantIdentity & { readonly file: string }, mutant: Mutant): boolean {
  const { within, original, mutated } = mutant.identity;
  return (
    entry.file === mutant.file &&
    entry.within === within &&
    entry.original === original &&
    entry.mutated === mutated
  );
}
