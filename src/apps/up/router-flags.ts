// The command line of the router over the engines of one stack.
import type { Values } from '../../core/values/index.ts';

/** An engine as the router is told of it. */
export interface Backend {
  readonly name: string;
  readonly url: string;
  readonly model: string;
  /** Ports of its KV events, if it publishes them. */
  readonly kvEvents?: { readonly events: number; readonly replay: number } | undefined;
}

/**
 * Arguments of `spillway router`: upstream's flags, static discovery over the given engines.
 *
 * Engines are scraped each second whatever `engineScrapeInterval` says, since its default of 15 s is
 * meant for a cluster and the live view shows what the router knows; `extraArgs` come last and win.
 */
export function routerFlags(values: Values, backends: readonly Backend[]): string[] {
  const { routerSpec } = values;
  const kvSources = backends.flatMap(({ url, kvEvents }) =>
    kvEvents
      ? [
          '--kv-event-source',
          `${url}=tcp://127.0.0.1:${kvEvents.events},tcp://127.0.0.1:${kvEvents.replay}`,
        ]
      : [],
  );
  return [
    '--host',
    routerSpec.host,
    '--port',
    String(routerSpec.containerPort),
    '--service-discovery',
    'static',
    '--static-backends',
    backends.map(({ url }) => url).join(','),
    '--static-models',
    backends.map(({ model }) => model).join(','),
    '--routing-logic',
    routerSpec.routingLogic,
    '--engine-stats-interval',
    '1',
    '--request-stats-window',
    String(routerSpec.requestStatsWindow),
    ...(routerSpec.sessionKey === '' ? [] : ['--session-key', routerSpec.sessionKey]),
    ...(routerSpec.prefixMinMatchLength === 0
      ? []
      : ['--prefix-min-match-length', String(routerSpec.prefixMinMatchLength)]),
    ...(routerSpec.rootPath === '' ? [] : ['--root-path', routerSpec.rootPath]),
    ...kvSources,
    ...(routerSpec.routerPeers.length === 0
      ? []
      : ['--router-peers', routerSpec.routerPeers.join(',')]),
    ...(values.spillway.dashboard ? [] : ['--no-dashboard']),
    ...routerSpec.extraArgs,
  ];
}
