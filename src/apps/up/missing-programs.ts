// Programs that the engines of a values file need and this machine lacks.

import { InputError } from '../../core/base/index.ts';
import { type EnginePlan, engineEnvironment } from '../../core/launch/index.ts';
import type { Values } from '../../core/values/index.ts';
import { findProgram, isPath } from '../../io/processes/index.ts';

/**
 * Checks that vLLM can be started for each entry of kind vllm.
 *
 * @param inherited This program's own environment, which the engines get as well.
 * @throws {InputError} With the program, the entries that need it, and what to do.
 */
export function assertPrograms(
  values: Values,
  engines: readonly EnginePlan[],
  inherited: Readonly<Record<string, string | undefined>>,
): void {
  const [program = ''] = values.spillway.vllmCommand;
  const entries = new Set(engines.flatMap((one) => (one.kind === 'vllm' ? [one.spec] : [])));
  const lacking = [...entries].filter((spec) => {
    const own = engineEnvironment(values, spec, inherited);
    return findProgram(program, { ...inherited, ...own }['PATH']) === undefined;
  });
  if (lacking.length === 0) return;
  const what = isPath(program)
    ? `"${program}" is not a program that can be run`
    : `"${program}" is not on the PATH`;
  const names = lacking.map(({ name }) => `"${name}"`).join(', ');
  throw new InputError(
    `${what}, and servingEngineSpec.modelSpec ${names} (kind vllm) ${lacking.length === 1 ? 'needs' : 'need'} it: ` +
      'install vLLM, or set spillway.vllmCommand to the command that starts it.',
  );
}
