// Effects of keys of the values file that are not flags of an engine: the kinds of row, and reasons
// that are used often.
import { type Effect, none, used } from '../setting.ts';

/** Effects of a key of a modelSpec entry, by program; a key stands for all keys below it. */
export interface EngineKeyEffects {
  /** Under `spillway up`, where the entry runs embedded engines. */
  readonly engine: Effect;
  /** Under `spillway up`, where the entry runs `vllm serve`. */
  readonly serve: Effect;
  readonly simulate: Effect;
}

/** Effects of a key outside modelSpec. */
export interface StackKeyEffects {
  readonly up: Effect;
  readonly simulate: Effect;
}

export const kubernetes: Effect = none('it is for Kubernetes');
export const monitoring: Effect = none('no KEDA, Grafana or Prometheus Operator is started');

/** Returns rows for several keys with the same effects. */
export function rows<R>(effects: R, keys: readonly string[]): Readonly<Record<string, R>> {
  return Object.fromEntries(keys.map((key) => [key, effects]));
}

export const everywhere: EngineKeyEffects = { engine: used, serve: used, simulate: used };
