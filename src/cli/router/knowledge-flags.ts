// What the router learns of its engines, and from whom.
import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type {
  KvEventAddress,
  PeerOptions,
  RouterOptions,
  TokenizerSources,
} from '../../apps/router/index.ts';
import { timeoutSecondsMax } from '../../core/attempts/index.ts';
import { commaList, engineAddress, InputError } from '../../core/base/index.ts';
import { policies } from '../../core/routing/index.ts';
import { duration } from '../arguments/quantities.ts';
import { secretFrom } from './secret-from.ts';

export interface KnowledgeFlags {
  readonly engineStatsInterval?: number;
  readonly requestStatsWindow: number;
  readonly kvEvents: boolean;
  readonly kvEventSource: ReadonlyMap<string, KvEventAddress>;
  readonly tokenizer: TokenizerSources;
  readonly engineTokenizeTimeout: number;
  readonly routerPeers?: readonly string[];
}

const seconds = duration('s', { min: 0, max: timeoutSecondsMax });

/** Policies that follow KV events by default. */
const optionalKvEvents = policies
  .filter(({ consumes }) => consumes.kvEvents === 'optional')
  .map(({ name }) => name);

export function addKnowledgeFlags(command: Command): Command {
  return command
    .optionsGroup('What the router knows of engines:')
    .option(
      '--engine-stats-interval <duration>',
      'interval between scrapes of each engine’s /metrics (default: the policy’s own, else 5s)',
      seconds,
    )
    .option(
      '--request-stats-window <duration>',
      'window of request rates',
      duration('s', { min: 1, max: 86_400, isWhole: true }),
      60,
    )
    .addOption(
      new Option(
        '--kv-event-source <url=endpoint>',
        'where an engine publishes KV events: URL=ENDPOINT[,REPLAY_ENDPOINT]; may be repeated',
      )
        .argParser(kvEventSource)
        .default(new Map<string, KvEventAddress>(), 'none'),
    )
    .option(
      '--no-kv-events',
      `${optionalKvEvents.join(', ')}: assume that prompts sent to an engine are cached there, instead of following KV events`,
    )
    .addOption(
      new Option(
        '--tokenizer <[model=]source>',
        'where tokenizers come from, by which the router finds prompts among KV events: auto (embedded engines, ' +
          'folders on this machine, the cache of Hugging Face), hub (also downloads from huggingface.co), a folder, ' +
          'a hub id, or none; may be repeated for single models',
      )
        .argParser(tokenizerSource)
        .default({ standard: 'auto' }, 'auto'),
    )
    .option(
      '--engine-tokenize-timeout <duration>',
      'how long a pick may wait for the /tokenize of an engine if the router has no tokenizer; 0 never asks an engine',
      seconds,
      0,
    )
    .option(
      '--router-peers <urls>',
      'other routers in front of the same engines, comma-separated; routers share what they send, and a host ' +
        'name stands for all its addresses. SPILLWAY_ROUTER_PEERS_KEY in the environment is their shared key',
      commaList,
    );
}

export function knowledgeFrom(
  flags: KnowledgeFlags,
): Pick<
  RouterOptions,
  | 'statsIntervalMs'
  | 'requestStatsWindowSeconds'
  | 'kvEvents'
  | 'kvEventSources'
  | 'tokenizers'
  | 'engineTokenizeTimeoutMs'
  | 'peers'
> {
  const { engineStatsInterval } = flags;
  return {
    statsIntervalMs: engineStatsInterval === undefined ? undefined : engineStatsInterval * 1000,
    requestStatsWindowSeconds: flags.requestStatsWindow,
    kvEvents: flags.kvEvents,
    kvEventSources: flags.kvEventSource,
    tokenizers: flags.tokenizer,
    engineTokenizeTimeoutMs: flags.engineTokenizeTimeout * 1000,
    peers: peers(flags.routerPeers ?? []),
  };
}

function peers(urls: readonly string[]): PeerOptions | undefined {
  if (urls.length === 0) return undefined;
  return { urls, key: secretFrom('SPILLWAY_ROUTER_PEERS_KEY') };
}

function kvEventSource(
  text: string,
  sources: ReadonlyMap<string, KvEventAddress>,
): ReadonlyMap<string, KvEventAddress> {
  const [, url, endpoint, replayEndpoint] =
    /^(https?:\/\/[^=]+)=([^,]+)(?:,(.+))?$/.exec(text) ?? [];
  if (url === undefined || endpoint === undefined) {
    throw new InputError(
      `--kv-event-source must be URL=ENDPOINT[,REPLAY_ENDPOINT], such as ` +
        `http://127.0.0.1:8000=tcp://127.0.0.1:5557, not "${text}".`,
    );
  }
  return new Map([...sources, [engineAddress(url).url, { endpoint, replayEndpoint }]]);
}

/** @throws {InputError} If the model or the source is empty, or a path that does not exist. */
function tokenizerSource(text: string, before: TokenizerSources): TokenizerSources {
  const [, model, source = ''] = /^(?:([^=]*)=)?(.+)$/.exec(text) ?? [];
  if (source === '' || model === '') {
    throw new InputError(
      `--tokenizer must be SOURCE or MODEL=SOURCE, such as auto, hub, a folder or Qwen/Qwen3-8B, not "${text}".`,
    );
  }
  // Anything else may be a hub id.
  if (/^[./~]/.test(source) && !existsSync(source)) {
    throw new InputError(`--tokenizer: there is no folder or file ${source}; check the path.`);
  }
  if (model === undefined) return { ...before, standard: source };
  return { ...before, byModel: new Map([...(before.byModel ?? []), [model, source]]) };
}
