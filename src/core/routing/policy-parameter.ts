// A parameter of a routing policy: a number that users set with a flag or a values key.
import { InputError } from '../base/index.ts';

/** A parameter as its policy declares it. */
export interface ParameterDeclaration {
  readonly type: 'integer' | 'number';
  /** Plural, e.g. 'bytes'. */
  readonly unit: string;
  /** Least value allowed. */
  readonly min: number;
  /** Largest value allowed. @default unbounded */
  readonly max?: number;
  /** @default no value: the rule that it belongs to is off */
  readonly default?: number;
  /** What it does, in one sentence without a capital and a full stop. */
  readonly help: string;
  /** Its names upstream. @default `--kebab-case` of the parameter's name, and the name itself */
  readonly upstream?: { readonly flag?: string; readonly valuesKey?: string };
}

/** A parameter as flags, values keys and documentation use it. */
export interface DeclaredParameter extends ParameterDeclaration {
  /** Name of the policy that it belongs to. */
  readonly policy: string;
  readonly name: string;
  /** With its dashes. */
  readonly flag: string;
  /** Key below `routerSpec`. */
  readonly valuesKey: string;
}

/** Values by parameter name; undefined stands for the default. */
export type ParameterValues = Readonly<Record<string, number | undefined>>;

/** Fills in the default names. */
export function declaredParameter(
  policy: string,
  name: string,
  declaration: ParameterDeclaration,
): DeclaredParameter {
  const kebab = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const { flag = `--${kebab}`, valuesKey = name } = declaration.upstream ?? {};
  return { ...declaration, policy, name, flag, valuesKey };
}

/** Whether the parameter may have this value. */
export function isAllowed(parameter: DeclaredParameter, value: number): boolean {
  const { type, min, max = Number.POSITIVE_INFINITY } = parameter;
  const isNumber = type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
  return isNumber && value >= min && value <= max;
}

/** The values that a parameter accepts, e.g. "a whole number of at least 0". */
export function allowedText({ type, min, max }: DeclaredParameter): string {
  const kind = type === 'integer' ? 'a whole number' : 'a number';
  return max === undefined ? `${kind} of at least ${min}` : `${kind} from ${min} to ${max}`;
}

/**
 * The value of a parameter among those given, or its default.
 *
 * @throws {InputError} If it is out of range.
 */
export function parameterValue(
  parameter: DeclaredParameter,
  given: ParameterValues,
): number | undefined {
  const value = given[parameter.name];
  if (value === undefined) return parameter.default;
  if (isAllowed(parameter, value)) return value;
  throw new InputError(
    `${parameter.name} of policy ${parameter.policy} takes ${allowedText(parameter)} (${parameter.unit}), not ${value}.`,
  );
}
