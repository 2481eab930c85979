// Says that a saved run cannot be read, while the other runs of its folder are.
import { stderr } from 'node:process';
import type { InputError } from '../core/base/index.ts';

/** Writes a warning about a run that is left out. */
export function warnOfRun({ message }: InputError): void {
  stderr.write(`spillway: WARNING: a run is left out: ${message}\n`);
}
