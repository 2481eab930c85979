// Flags of `spillway engine` whose value is JSON, as far as an emulation heeds it.

import type { GrammarBackend } from '../../core/api/index.ts';
import { InputError } from '../../core/base/index.ts';

/** Value of `--profiler-config`: only whether there is a profiler counts. */
export function profilerConfig(text: string): { readonly profiler: string | undefined } {
  const { profiler } = jsonObject('--profiler-config', text);
  if (profiler === undefined || profiler === null) return { profiler: undefined };
  const known = ['torch', 'cuda', 'proton'].find((name) => name === profiler);
  if (known !== undefined) return { profiler: known };
  throw new InputError(
    `--profiler-config names the profiler ${JSON.stringify(profiler)}; it must be "torch", "cuda" or "proton".`,
  );
}

/** Value of `--structured-outputs-config`: which grammar library is asked. */
export function structuredOutputsConfig(text: string): { readonly backend: GrammarBackend } {
  const { backend = 'auto' } = jsonObject('--structured-outputs-config', text);
  const known = ['auto', 'xgrammar', 'guidance', 'outlines', 'lm-format-enforcer'];
  if (!known.includes(backend as string)) {
    throw new InputError(
      `--structured-outputs-config names the backend ${JSON.stringify(backend)}; it must be ${known.join(', ')}.`,
    );
  }
  // What the others refuse is not built: they count as the one that takes most.
  return { backend: backend === 'xgrammar' ? backend : 'auto' };
}

/** @throws {InputError} If the text is no JSON object. */
export function jsonObject(flag: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const given: unknown = JSON.parse(text);
    if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
      return given as Readonly<Record<string, unknown>>;
    }
  } catch {
    // Said below, with what is allowed.
  }
  const allowed = flag === '--lora-modules' ? 'NAME=PATH or a JSON object' : 'a JSON object';
  throw new InputError(`${flag} is "${text}"; it must be ${allowed}.`);
}
