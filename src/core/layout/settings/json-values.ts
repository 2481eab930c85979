// Parses flags with JSON values, as far as the emulation uses them.
import type { GrammarBackend } from '../../api/index.ts';
import { InputError } from '../../base/index.ts';
import { jsonObject } from '../value-kinds.ts';

/** Parses `--profiler-config`: only whether there is a profiler matters. */
export function profilerConfig(given: string): { readonly profiler: string | undefined } {
  const { profiler } = jsonObject('--profiler-config', given);
  if (profiler === undefined || profiler === null) return { profiler: undefined };
  const known = ['torch', 'cuda', 'proton'].find((name) => name === profiler);
  if (known !== undefined) return { profiler: known };
  throw new InputError(
    `--profiler-config names the profiler ${JSON.stringify(profiler)}; it must be "torch", "cuda" or "proton".`,
  );
}

/** Parses `--structured-outputs-config`: which grammar library is used. */
export function structuredOutputsConfig(given: string): { readonly backend: GrammarBackend } {
  const { backend = 'auto' } = jsonObject('--structured-outputs-config', given);
  const known = ['auto', 'xgrammar', 'guidance', 'outlines', 'lm-format-enforcer'];
  if (!known.includes(backend as string)) {
    throw new InputError(
      `--structured-outputs-config names the backend ${JSON.stringify(backend)}; it must be ${known.join(', ')}.`,
    );
  }
  // The checks of the other libraries are not implemented: they count as the most permissive one.
  return { backend: backend === 'xgrammar' ? backend : 'auto' };
}
