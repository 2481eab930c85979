// One row of the table of settings: how a setting is spelled, which values it accepts, and what it
// does in each program.
import type { ValueKind } from './value-kinds.ts';

/** Programs in which a setting may have an effect. */
export const programs = ['engine', 'simulate', 'recorded', 'plan', 'serve', 'chart'] as const;

/**
 * - `engine`: the embedded engine, alone or under `spillway up`;
 * - `simulate`: `spillway simulate -f`;
 * - `recorded`: `spillway simulate --engine-args`, one vLLM server as it was started;
 * - `plan`: `spillway plan`, which writes a values file;
 * - `serve`: `vllm serve` under `spillway up`;
 * - `chart`: `vllm serve` in a pod of the Helm chart.
 */
export type Program = (typeof programs)[number];

/** Effect of a setting in one program. */
export type Effect =
  | { readonly kind: 'used' }
  /** No effect, and nothing is missing: the reason is a clause without its full stop. */
  | { readonly kind: 'none'; readonly reason: string }
  /**
   * No effect, although a real vLLM would behave differently: the reason says what is not modelled.
   */
  | { readonly kind: 'missing'; readonly reason: string };

export const used: Effect = { kind: 'used' };
export const none = (reason: string): Effect => ({ kind: 'none', reason });
export const missing = (reason: string): Effect => ({ kind: 'missing', reason });

/** One setting of an engine. */
export interface Setting<T = unknown> {
  /** vLLM's flag, or ours if only the embedded engine has it. */
  readonly flag: `--${string}`;
  /** Other spellings of the flag, such as `-tp`. */
  readonly aliases: readonly string[];
  /** Keys of a modelSpec entry that set it, as paths below the entry. */
  readonly keys: readonly string[];
  readonly value: ValueKind<T>;
  /** What the value counts, such as `tokens`; undefined for names, switches and JSON. */
  readonly unit?: string;
  /** Default of `spillway engine`. */
  readonly default?: T;
  /** The default in words, if it is computed. */
  readonly defaultText?: string;
  /** The value that the upstream chart passes if there is a vllmConfig without the key. */
  readonly chartDefault?: T;
  /** What it sets, for `--help` and the reference: lower case, no full stop. */
  readonly about: string;
  /** The same for the `--no-` form, if it needs a separate line. */
  readonly aboutNo?: string;
  readonly effects: Readonly<Record<Program, Effect>>;
}

type Given<T> = Omit<Setting<T>, 'aliases' | 'keys' | 'effects'> &
  Partial<Pick<Setting<T>, 'aliases' | 'keys'>> & {
    /** By default, `recorded` is like `simulate`, and `chart` like `serve`. */
    readonly effects: Pick<Setting['effects'], 'engine' | 'simulate'> & Partial<Setting['effects']>;
  };

/**
 * Creates a row of the table.
 *
 * @example setting({ flag: '--max-num-seqs', value: count(1), about: 'most requests in a step',
 * effects: modelled });
 */
export function setting<T>(given: Given<T>): Setting<T> {
  const { effects } = given;
  const serve = effects.serve ?? used;
  return {
    ...{ aliases: [], keys: [], ...given },
    effects: {
      ...{ recorded: effects.simulate, plan: notPlanned, chart: serve, ...effects, serve },
    },
  };
}

const notPlanned = none('plans have their own input file and leave this to vLLM');

/** Effects of a setting that both engine models use. */
export const modelled = { engine: used, simulate: used } as const;
/** The same, for a setting that plans write into their values file. */
export const planned = { ...modelled, plan: used } as const;
/** Effects of a setting of the HTTP server, which a simulation does not have. */
export const served = {
  engine: used,
  simulate: none('a simulation has no HTTP server'),
} as const;

/** Creates rows of one kind that have no effect in our programs, all for one reason. */
export function without<const N extends string, T>(
  effect: Effect,
  value: ValueKind<T>,
  names: readonly N[],
  aliases: { readonly [Name in N]?: string } = {},
): Readonly<Record<N, Setting<T>>> {
  const rows = names.map((name) => [
    name,
    setting({
      ...{ flag: flagOf(name), value, about: 'as in vLLM' },
      aliases: [aliases[name]].filter((alias) => alias !== undefined),
      effects: { engine: effect, simulate: effect },
    }),
  ]);
  return Object.fromEntries(rows) as Record<N, Setting<T>>;
}

/**
 * Returns the flag of a setting by its name in the table.
 *
 * @example flagOf('maxNumSeqs'); // '--max-num-seqs'
 */
export function flagOf(name: string): `--${string}` {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
