// What the clients of each tenant work on: their part of the store, and how its values come to memory.
import { type ClientStore, TenantStore, type TieredStore } from '../../core/cache/index.ts';
import type { OpenTracing } from '../../io/otlp/index.ts';
import type { CacheProtocol } from './cache-metrics.ts';
import { tracedLoader } from './load-spans.ts';
import { type LoadValues, valueLoader } from './loading.ts';
import { ValueSizes } from './miss-padding.ts';
import type { RespSpace } from './resp-connection.ts';

interface SpaceOptions {
  readonly readTimeoutMs: number;
  readonly tracing: OpenTracing | undefined;
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

  #loader(store: ClientStore, protocol: CacheProtocol): LoadValues {
    const { readTimeoutMs, tracing } = this.#options;
    return tracedLoader(valueLoader(store, readTimeoutMs), store, protocol, tracing);
  }
}
