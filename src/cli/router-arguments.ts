// routerSpec.extraArgs as the router's own command line reads them, before any router starts.
import { existsSync } from 'node:fs';
import { InputError } from '../core/base/index.ts';
import {
  type Backend,
  clusterArguments,
  listenerFault,
  planEngines,
  routerFlags,
  withoutClusterArguments,
} from '../core/launch/index.ts';
import type { Target } from '../core/layout/index.ts';
import {
  type Problem,
  pathText,
  placeAt,
  type ResolvedValues,
  type Values,
  ValuesError,
} from '../core/values/index.ts';

/** What values are checked for: one target, or both. */
export type CheckTarget = Target | 'both';

const path = ['routerSpec', 'extraArgs'];

/**
 * Checks routerSpec.extraArgs by the router's own command line.
 *
 * @throws {ValuesError} If the router would not start with them.
 */
export async function checkRouterArguments(
  { values, written }: ResolvedValues,
  target: CheckTarget,
): Promise<void> {
  const { routerSpec } = values;
  if (!readsArguments(values, target)) return;
  const { readRouterArguments } = await import('./router/argument-fault.ts');
  const fault =
    readRouterArguments(routerSpec.extraArgs).fault ??
    portFault(routerSpec) ??
    (target === 'up' ? await startFault(values) : undefined);
  if (fault === undefined) return;
  throw new ValuesError([
    { place: placeAt(written, path), sentence: `${pathText(path)}: ${fault}` },
  ]);
}

/** Returns the arguments without effect, one sentence each, and for both targets, what keeps the router of "up" from starting. */
export async function routerNotes(
  { values, written }: ResolvedValues,
  target: CheckTarget,
): Promise<readonly Problem[]> {
  if (!readsArguments(values, target)) return [];
  const { readRouterArguments } = await import('./router/argument-fault.ts');
  const { extraArgs } = values.routerSpec;
  const { notes } = readRouterArguments(extraArgs);
  const fault = target === 'both' ? await startFault(values) : undefined;
  const vain = [
    ...notes,
    ...(target === 'kubernetes' ? [] : clusterArguments(extraArgs)).map(({ index, flag }) => ({
      index,
      clause: `${flag} has no effect under "spillway up" and on hosts: the router gets their engines as a list`,
    })),
  ];
  return [
    ...vain
      .toSorted((a, b) => a.index - b.index)
      .map(({ index, clause }) => ({
        place: placeAt(written, [...path, index]),
        sentence: `${pathText(path)}: ${clause}`,
      })),
    ...(fault === undefined
      ? []
      : [
          {
            place: placeAt(written, path),
            sentence: `${pathText(path)}: the router does not start under "spillway up": ${fault}`,
          },
        ]),
  ];
}

function readsArguments(values: Values, target: CheckTarget): boolean {
  const { enableRouter, extraArgs } = values.routerSpec;
  if (!enableRouter || extraArgs.length === 0) return false;
  return target !== 'kubernetes' || runsOwnRouter(values);
}

/** Why the router of "spillway up" or of a host would not start, or not be found, as a clause without its full stop. */
async function startFault(values: Values): Promise<string | undefined> {
  const { routerSpec } = values;
  const listener = listenerFault(routerSpec.extraArgs);
  if (listener !== undefined) return listener;
  const elsewhere =
    otherEnginesFault(routerSpec.extraArgs) ?? absentFileFault(routerSpec.extraArgs);
  if (elsewhere !== undefined) return elsewhere;
  const before = stackFlags(values);
  if (before === undefined) return undefined;
  const { readRouterArguments } = await import('./router/argument-fault.ts');
  // What "up" itself gives the router is no fault of the arguments.
  if (readRouterArguments([], before).fault !== undefined) return undefined;
  return readRouterArguments(withoutClusterArguments(routerSpec.extraArgs), before).fault;
}

/** The router would have other engines than the stack. */
function otherEnginesFault(words: readonly string[]): string | undefined {
  const word = words.find((one) => /^--static-(backends|models|engine-names)(=|$)/.test(one));
  return word === undefined
    ? undefined
    : `${word.split('=')[0]} would replace the engines of this stack; name other engines with urls at an entry of modelSpec`;
}

function absentFileFault(words: readonly string[]): string | undefined {
  return words.flatMap((word, index) => {
    const [, flag, inline] =
      /^(--(?:dynamic-config-(?:json|yaml)|engines-file))(?:=(.*))?$/.exec(word) ?? [];
    const file = inline ?? words[index + 1];
    if (flag === undefined || file === undefined || existsSync(file)) return [];
    return [`${flag} ${file}: there is no such file on this machine`];
  })[0];
}

/** Nothing would ask a router at a port that only its arguments name. */
function portFault({ extraArgs, containerPort }: Values['routerSpec']): string | undefined {
  const port = extraArgs
    .flatMap((word, i) =>
      word === '--port' ? (extraArgs[i + 1] ?? []) : (/^--port=(.*)$/.exec(word)?.[1] ?? []),
    )
    .at(-1);
  return port === undefined || Number(port) === containerPort
    ? undefined
    : `--port ${port} is not routerSpec.containerPort (${containerPort}), where the router is asked whether it is ready; set that key instead`;
}

/** The flags that the router of a stack gets before its arguments; undefined if there is no stack, for which others have a sentence. */
function stackFlags(values: Values): readonly string[] | undefined {
  try {
    const backends = planEngines(values).map(
      (engine, index): Backend => ({
        ...{ name: engine.name, url: `http://127.0.0.1:${index + 1}` },
        ...{ model: engine.model ?? engine.name, role: engine.role },
      }),
    );
    return routerFlags(
      { ...values, routerSpec: { ...values.routerSpec, extraArgs: [] } },
      backends,
    );
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** Whether the chart runs Spillway's router, as its template spillway.router.is-own decides. */
function runsOwnRouter({ routerSpec: { repository, digest, serviceDiscovery } }: Values): boolean {
  const upstream = ['lmcache/lmstack-router', 'ghcr.io/vllm-project/production-stack/router'];
  return (
    upstream.includes(repository) && digest === undefined && serviceDiscovery !== 'external-only'
  );
}
