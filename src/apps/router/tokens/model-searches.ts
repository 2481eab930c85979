// Which tokenizer each model of the live engines needs.
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { TokenizerSearch } from '../../../io/tokenizers/index.ts';
import type { Engine } from '../fleet/engine.ts';

/** Where tokenizers come from: see `TokenizerSearch`, and `none` for no tokenizer. */
export interface TokenizerSources {
  /** @default 'auto' */
  readonly standard?: string | undefined;
  /** By model name. */
  readonly byModel?: ReadonlyMap<string, string> | undefined;
}

/** What to look for; models with equal names share a tokenizer. */
export interface ModelSearch {
  readonly name: string;
  readonly search: TokenizerSearch;
}

/** What is read of an engine. */
export type SearchedEngine = Pick<Engine, 'url' | 'live' | 'models' | 'isEmulated'> &
  Partial<Pick<Engine, 'authorization'>>;

/** Returns the searches by model, without models whose tokenizer is turned off. */
export function modelSearches(options: {
  readonly core: Pick<RoutingCore, 'endpoint'>;
  readonly engines: ReadonlyMap<string, SearchedEngine>;
  readonly sources: TokenizerSources;
  /** `Authorization` for requests to engines. */
  readonly authorization: string | undefined;
}): Map<string, ModelSearch> {
  const { core, engines, sources, authorization } = options;
  const searches = new Map<string, ModelSearch>();
  for (const engine of engines.values()) {
    if (!engine.live) continue;
    const cards = new Map(engine.models.map((card) => [card.id, card]));
    for (const model of core.endpoint(engine.url)?.models ?? []) {
      if (searches.has(model)) continue;
      const card = cards.get(model);
      // An adapter has the tokenizer of the model that it adapts.
      const parent = card?.['parent'];
      const isAdapter = typeof parent === 'string';
      const source = sources.byModel?.get(model) ?? sourceOf(isAdapter ? parent : model, sources);
      if (source === 'none') continue;
      const root = (isAdapter ? cards.get(parent) : card)?.['root'];
      const isFound = source === 'auto' || source === 'hub';
      const emulated = isFound && engine.isEmulated === true;
      const search: TokenizerSearch = {
        source,
        root: typeof root === 'string' ? root : undefined,
        engine: emulated
          ? { url: engine.url, authorization: engine.authorization?.value ?? authorization }
          : undefined,
      };
      const name = isFound ? JSON.stringify([source, search.root, emulated]) : source;
      searches.set(model, { name, search });
    }
  }
  return searches;
}

/** The source of a model's tokenizer: `auto`, `hub`, `none`, a folder, or a model of the hub. */
export function sourceOf(model: string, { byModel, standard = 'auto' }: TokenizerSources): string {
  return byModel?.get(model) ?? standard;
}
