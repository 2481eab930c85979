// The declaration of a routing policy: its name, its parameters, what it consumes and how it is
// created. Flags, values keys, documentation and the data that a router must provide derive from it.
import type { Random } from '../base/index.ts';
import { KvIndex } from '../kv/index.ts';
import { noTiers, type TierIndex } from './cache-tiers.ts';
import type { Policy } from './contract.ts';
import {
  type DeclaredParameter,
  declaredParameter,
  type ParameterDeclaration,
  type ParameterValues,
  parameterValue,
} from './policy-parameter.ts';

/** 'required': without it the policy uses only load. 'optional': the policy works better with it. */
export type Need = 'required' | 'optional';

/** What a policy reads besides the router's own counts; absent means unused. */
export interface PolicyConsumes {
  /** The bytes of the prompt. */
  readonly prompts?: Need;
  /** KV events of the engines. A router always follows them if required, else on request. */
  readonly kvEvents?: Need;
  /** Token ids of the prompt. */
  readonly tokens?: Need;
  /** What engines would load from host memory, disks and shared stores, and the time of a load. */
  readonly cacheTiers?: Need;
  /** The engines' own metrics, `Endpoint.reported`. */
  readonly engineReports?: {
    readonly need: Need;
    /** Interval that the policy is designed for. @default the router's, 5 s */
    readonly everySeconds?: number;
  };
  /** Requests that peer routers send to the same engines, beyond the counts in `Endpoint.load`. */
  readonly routerUpdates?: {
    readonly need: Need;
    /** Updates that arrive later than this do more harm than good. @default any delay is fine */
    readonly delaySecondsMax?: number;
  };
  /** The session id of a request, found under `--session-key`. */
  readonly sessions?: Need;
}

/** What a router or a simulation passes to a policy that it creates. */
export interface PolicyOptions {
  readonly random: Random;
  /** The caller feeds it with the engines' KV events. @default an empty one */
  readonly kvIndex?: KvIndex | undefined;
  /** Whether a policy that does not require KV events follows them. @default true if there is an index */
  readonly followsKvEvents?: boolean | undefined;
  /** KV cache below the GPUs. @default what KV events say of it */
  readonly tiers?: TierIndex | undefined;
  /** Values by parameter name; those of other policies are ignored. */
  readonly parameters?: ParameterValues | undefined;
}

/** A declared policy as the rest of the program uses it. */
export interface PolicyDefinition<
  Name extends string = string,
  Consumes extends PolicyConsumes = PolicyConsumes,
> {
  readonly name: Name;
  /** What it picks, as a clause without a full stop. */
  readonly summary: string;
  readonly parameters: readonly DeclaredParameter[];
  readonly consumes: Consumes;
  /** @throws {InputError} If a parameter is out of range. */
  create(options: PolicyOptions): Policy;
}

type Declarations = Readonly<Record<string, ParameterDeclaration>>;

/** The arguments of a declaration's `create`: exactly what the policy declared. */
interface PolicyInputs<Parameters extends Declarations, Consumes extends PolicyConsumes> {
  readonly random: Random;
  readonly kvIndex: Consumes extends { readonly kvEvents: 'required' }
    ? KvIndex
    : Consumes extends { readonly kvEvents: 'optional' }
      ? KvIndex | undefined
      : undefined;
  readonly tiers: Consumes extends { readonly cacheTiers: Need } ? TierIndex : undefined;
  readonly parameters: {
    readonly [Parameter in keyof Parameters]: Parameters[Parameter] extends {
      readonly default: number;
    }
      ? number
      : number | undefined;
  };
}

/**
 * Declares a policy.
 *
 * @param declaration `name` is that of `--routing-logic`, and of the policy that `create` returns.
 * @example
 * export const roundrobin = definePolicy({
 *   name: 'roundrobin',
 *   summary: 'the next engine',
 *   parameters: {},
 *   consumes: {},
 *   create: () => new RoundRobinPolicy(),
 * });
 */
export function definePolicy<
  const Name extends string,
  const Parameters extends Declarations,
  const Consumes extends PolicyConsumes,
>(declaration: {
  readonly name: Name;
  readonly summary: string;
  readonly parameters: Parameters;
  readonly consumes: Consumes;
  readonly create: (inputs: PolicyInputs<Parameters, Consumes>) => Policy;
}): PolicyDefinition<Name, Consumes> {
  const { name, summary, consumes } = declaration;
  const parameters = Object.entries(declaration.parameters).map(([parameter, declared]) =>
    declaredParameter(name, parameter, declared),
  );
  const create = (options: PolicyOptions): Policy => {
    const { random, parameters: given = {}, tiers = noTiers, ...events } = options;
    const values = parameters.map((parameter) => [
      parameter.name,
      parameterValue(parameter, given),
    ]);
    // The types of what a declaration's `create` gets are computed from that declaration.
    return declaration.create({
      random,
      kvIndex: kvIndexFor(consumes, events),
      tiers: consumes.cacheTiers === undefined ? undefined : tiers,
      parameters: Object.fromEntries(values),
    } as PolicyInputs<Parameters, Consumes>);
  };
  return { name, summary, consumes, parameters, create };
}

function kvIndexFor(
  { kvEvents }: PolicyConsumes,
  { kvIndex, followsKvEvents = true }: Pick<PolicyOptions, 'kvIndex' | 'followsKvEvents'>,
): KvIndex | undefined {
  if (kvEvents === 'required') return kvIndex ?? new KvIndex();
  return kvEvents === 'optional' && followsKvEvents ? kvIndex : undefined;
}
