// The command lines of engines: keys of the values file as flags.
import { emulatedLmcache, entryWords, namesConnector } from '../layout/index.ts';
import type { ModelEntry, Values } from '../values/index.ts';

/** Ports of one engine. */
export interface EnginePorts {
  readonly http: number;
  /** Where it publishes KV events. */
  readonly kvEvents: number;
  /** Where it replays KV events that a subscriber has missed. */
  readonly kvReplay: number;
}

/** Where the services of an engine listen. */
export interface ListenAt {
  readonly host: string;
}

/** Where a vLLM server listens, and what it reaches. */
export interface VllmPlace extends Partial<ListenAt> {
  /** HOST:PORT of the stack's cache server, for Redis clients. */
  readonly cacheNodes?: string | undefined;
}

const loopback: ListenAt = { host: '127.0.0.1' };

/**
 * Arguments of `spillway engine` for one embedded engine, or for several in one process.
 *
 * @param ports Those of the first engine; the next ones use the ports above.
 * @param store The store that LMCache's transfers take the time of.
 */
export function embeddedEngineFlags(
  spec: ModelEntry,
  ports: EnginePorts,
  store: Values['cacheserverSpec'],
  count = 1,
  { host } = loopback,
): string[] {
  return [
    ...(spec.modelURL === undefined ? [] : ['--model', spec.modelURL]),
    ...addressFlags(ports, host),
    ...(count > 1 ? ['--count', String(count)] : []),
    ...atAddress(entryWords(spec, 'engine', kvEventAddresses(ports, host)), ports, host),
    ...(hasLmcache(spec) ? ['--kv-transfer-config', emulatedLmcache(spec, store)] : []),
  ];
}

/** With enablePD, LMCache only transfers KV cache, which is not emulated. */
function hasLmcache(spec: ModelEntry): boolean {
  const { enabled, enablePD } = spec.lmcacheConfig ?? {};
  return enabled === true && enablePD !== true && !namesConnector(spec);
}

/**
 * Arguments of the vLLM server for one engine, in the order of the upstream chart's template.
 *
 * @param command The program and its first arguments. `… serve` accepts the model as its argument;
 *   others, such as `python -m vllm.entrypoints.openai.api_server`, accept it as `--model`.
 */
export function vllmFlags(
  spec: ModelEntry,
  ports: EnginePorts,
  command: readonly string[],
  { host = loopback.host, cacheNodes }: VllmPlace = {},
): string[] {
  const takesArgument = command.at(-1) === 'serve';
  const model = spec.modelURL ?? spec.name;
  return [
    ...(takesArgument ? [model] : ['--model', model]),
    ...addressFlags(ports, host),
    // vLLM binds an address with `*` and connects to any other, so loopback cannot be named.
    ...atAddress(
      entryWords(spec, 'serve', kvEventAddresses(ports, '*'), 'machine', cacheNodes),
      ports,
      host,
    ),
  ];
}

function addressFlags({ http }: EnginePorts, host: string): readonly string[] {
  return ['--host', host, '--port', String(http)];
}

/** Words of an entry that name another address, that of its pods, are followed by the one where the router looks: the last one counts. */
function atAddress(words: readonly string[], ports: EnginePorts, host: string): readonly string[] {
  return words.some((word) => /^--(host|port)(=|$)/.test(word))
    ? [...words, ...addressFlags(ports, host)]
    : words;
}

/** @param host Where KV events are published: they hold the token ids of prompts. */
function kvEventAddresses({ kvEvents, kvReplay }: EnginePorts, host: string) {
  return {
    endpoint: `tcp://${host}:${kvEvents}`,
    replayEndpoint: `tcp://${host}:${kvReplay}`,
  };
}
