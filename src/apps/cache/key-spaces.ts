// What the clients of each tenant work on: their part of the store, and how its values come to memory.
import { type ClientStore, TenantStore, type TieredStore } from '../../core/cache/index.ts';
import type { OpenTracing } from '../../io/otlp/index.ts';
import type { CacheProtocol } from './cache-metrics.ts';
import { tracedLoader } from './load-spans.ts';
import { type LoadValues, valueLoader } from './loading.ts';
import { ValueSizes } from './miss-padding.ts';
import type { RespSpace } from './resp-service.ts';

interface SpaceOptions {
  readonly readTimeoutMs: number;
  readonly tracing: OpenTracing | undefined;
}

/** Size of the values of one model, rank and group in the key space of a tenant. */
export interface KnownSize {
  readonly space: string;
  readonly group: string;
  readonly size: number;
}

export class KeySpaces {
  readonly #store: TieredStore;
  readonly #options: SpaceOptions;
  readonly #known = new Map<string, RespSpace>();
  /** The keys of all tenants. */
  readonly whole: { readonly store: TieredStore; readonly load: LoadValues };

  constructor(store: TieredStore, options: SpaceOptions) {
    this.#store = store;
    this.#options = options;
    this.whole = { store, load: this.#loader(store, 'resp') };
  }

  /** @param name Of a tenant that is configured; empty for the shared key space. */
  resp(name: string): RespSpace {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const store = new TenantStore(this.#store, name);
    const space = { store, load: this.#loader(store, 'resp'), sizes: new ValueSizes() };
    this.#known.set(name, space);
    return space;
  }

  /** `lm://` has no users: its clients have the shared key space. */
  lm(): { readonly store: ClientStore; readonly load: LoadValues } {
    const store = new TenantStore(this.#store, '');
    return { store, load: this.#loader(store, 'lm') };
  }

  /** The sizes of values that were learned, for another process. */
  get sizes(): readonly KnownSize[] {
    return [...this.#known].flatMap(([space, { sizes }]) =>
      sizes.known.map(([group, size]) => ({ space, group, size })),
    );
  }

  /** Takes `sizes` of another process. */
  learn(known: readonly KnownSize[]): void {
    for (const { space, group, size } of known) this.resp(space).sizes.learnOf(group, size);
  }

  #loader(store: ClientStore, protocol: CacheProtocol): LoadValues {
    const { readTimeoutMs, tracing } = this.#options;
    return tracedLoader(valueLoader(store, readTimeoutMs), store, protocol, tracing);
  }
}
