// Derives flags from the parameters that routing policies declare.
import { type Command, Option } from 'commander';
import { InputError } from '../core/base/index.ts';
import {
  allowedText,
  type DeclaredParameter,
  isAllowed,
  type ParameterValues,
  policyParameters,
} from '../core/routing/index.ts';

/** Adds one flag per parameter of each policy of the router. */
export function addPolicyFlags(command: Command): Command {
  for (const parameter of policyParameters) {
    const { policy, help, default: standard } = parameter;
    const suffix = standard === undefined ? '' : ` (default: ${standard})`;
    const text = `${policy}: ${help}${suffix}`;
    command.addOption(optionOf(parameter, text).argParser((value) => parse(parameter, value)));
  }
  return command;
}

/** Returns the parameters that a command's options set, by name. */
export function policyParametersFrom(options: object): ParameterValues {
  const values = new Map<string, unknown>(Object.entries(options));
  return Object.fromEntries(
    policyParameters.map((parameter) => [
      parameter.name,
      // The result of `parse`, or undefined.
      values.get(optionOf(parameter).attributeName()) as number | undefined,
    ]),
  );
}

/** Returns the first parameter flag that a command's options set. */
export function givenPolicyFlag(options: object): string | undefined {
  const given = policyParametersFrom(options);
  return policyParameters.find(({ name }) => given[name] !== undefined)?.flag;
}

/** Returns one sentence about a flag without effect. */
export function unusedFlagText(
  { flag, policy }: DeclaredParameter,
  policyFlag: string,
  chosen: string,
): string {
  return `${flag} has no effect: it is a parameter of ${policy}, and ${policyFlag} is ${chosen}.`;
}

function optionOf({ flag, unit }: DeclaredParameter, description?: string): Option {
  return new Option(`${flag} <${unit}>`, description);
}

function parse(parameter: DeclaredParameter, text: string): number {
  const value = Number(text);
  if (/^-?\d+(\.\d+)?$/.test(text) && isAllowed(parameter, value)) return value;
  throw new InputError(`${parameter.flag} takes ${allowedText(parameter)}, not "${text}".`);
}
