// The engines of a core: their records by URL, the live ones of each model, and why none can serve a request.
import type { EngineRole } from './contract.ts';
import { EndpointRecord, type EndpointState } from './endpoint-record.ts';
import { NoEndpointError, UnknownModelError } from './errors.ts';

export interface EndpointOptions {
  readonly url: string;
  readonly models: readonly string[];
  /** @default 'live' */
  readonly state?: EndpointState | undefined;
  /** Why it starts in that state. @default 'added' */
  readonly reason?: string | undefined;
}

/** A request that no live engine can serve. */
interface UnservedRequest {
  readonly model: string | undefined;
  /** URLs that have already failed it. */
  readonly exclude: ReadonlySet<string> | undefined;
  readonly pinnedUrl: string | undefined;
  readonly leg: EngineRole | undefined;
  /** Other names of models, by which clients can request them. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** Number of model names that are remembered after the last engine that served them was removed. */
const everSeenModelsMax = 10_000;

export class EndpointTable {
  readonly #records = new Map<string, EndpointRecord>();
  readonly #everSeenModels = new Set<string>();
  /** Model to its live engines; undefined stands for any model. Cleared whenever an engine changes. */
  readonly #live = new Map<string | undefined, readonly EndpointRecord[]>();
  /** When an engine of each model last stopped being live; undefined stands for any model. */
  readonly #leftSeconds = new Map<string | undefined, number>();

  /** In the order added. */
  get all(): Iterable<EndpointRecord> {
    return this.#records.values();
  }

  get(url: string): EndpointRecord | undefined {
    return this.#records.get(url);
  }

  /**
   * Adds an engine, or gives a known one new models. A known engine keeps its counts and state.
   *
   * @returns The record of a new engine; undefined for a known one.
   */
  add(options: EndpointOptions): EndpointRecord | undefined {
    const known = this.#records.get(options.url);
    if (known) {
      known.models = options.models;
      if (options.models.length > 0) known.silence = undefined;
      if (options.state) known.state = options.state;
      if (options.reason) known.reason = options.reason;
    }
    const { url, models, state = 'live', reason = 'added' } = options;
    const added = known ? undefined : new EndpointRecord(url, models, state, reason);
    if (added !== undefined) this.#records.set(url, added);
    for (const model of models) {
      if (this.#everSeenModels.size < everSeenModelsMax) this.#everSeenModels.add(model);
    }
    this.#live.clear();
    return added;
  }

  /** @returns The record; undefined if it was not known. */
  remove(url: string, nowSeconds: number): EndpointRecord | undefined {
    const record = this.#records.get(url);
    if (record === undefined) return undefined;
    this.#records.delete(url);
    if (record.state === 'live') this.#leaves(record, nowSeconds);
    this.#live.clear();
    return record;
  }

  /** @param reason Why, in plain words. @returns Whether the state changed. */
  setState(
    record: EndpointRecord,
    state: EndpointState,
    reason: string,
    nowSeconds: number,
  ): boolean {
    const isChanged = record.state !== state;
    if (isChanged && record.state === 'live') this.#leaves(record, nowSeconds);
    record.state = state;
    record.reason = reason;
    if (isChanged) this.#live.clear();
    return isChanged;
  }

  /** The live engines of a model, the same array until an engine changes. @param model Undefined for any. */
  live(model: string | undefined): readonly EndpointRecord[] {
    const cached = this.#live.get(model);
    if (cached) return cached;
    const live = [...this.#records.values()].filter(
      (record) => record.state === 'live' && (model === undefined || record.models.includes(model)),
    );
    // Clients choose model names, so only those that some engine serves are kept.
    if (live.length > 0) this.#live.set(model, live);
    return live;
  }

  /** Whether no engine serves the model now, but one has, or there has been no engine at all yet. */
  mayReturn(model: string | undefined): boolean {
    if (this.live(model).length > 0) return false;
    return (
      model === undefined || this.#everSeenModels.size === 0 || this.#everSeenModels.has(model)
    );
  }

  /** Whether an engine serves the model, or has served it. */
  hasServed(model: string): boolean {
    return this.#everSeenModels.has(model);
  }

  /** When an engine of the model last stopped being live; -∞ if none has. */
  leftSeconds(model: string | undefined): number {
    return this.#leftSeconds.get(model) ?? Number.NEGATIVE_INFINITY;
  }

  /** Why no engine can serve a request. */
  refusal({ model, exclude, pinnedUrl, leg, aliases }: UnservedRequest): Error {
    if (model !== undefined && !this.#everSeenModels.has(model)) {
      return this.#unknownModel(model, aliases);
    }
    const rejections = new Map<string, string>();
    for (const { url, models, role, state, reason } of this.#records.values()) {
      if (pinnedUrl !== undefined && url !== pinnedUrl) continue;
      if (leg !== undefined && role !== leg) continue;
      if (model !== undefined && !models.includes(model)) {
        if (url === pinnedUrl) rejections.set(url, 'does not serve it');
        continue;
      }
      const tried = state === 'live' && exclude?.has(url);
      rejections.set(url, tried ? 'was already tried' : `is ${state} (${reason})`);
    }
    const served = new Set(Array.from(this.#records.values(), ({ models }) => models).flat());
    return new NoEndpointError(model, rejections, [...served]);
  }

  /** The engine gets no requests from now on. */
  #leaves({ models }: EndpointRecord, nowSeconds: number): void {
    this.#leftSeconds.set(undefined, nowSeconds);
    for (const model of models) {
      if (this.#everSeenModels.has(model)) this.#leftSeconds.set(model, nowSeconds);
    }
  }

  #unknownModel(model: string, aliases: ReadonlyMap<string, string>): Error {
    const records = [...this.#records.values()];
    const served = new Set([...records.flatMap(({ models }) => models), ...aliases.keys()]);
    const silent = new Map<string, string>();
    for (const { url, models, silence } of records) {
      if (models.length === 0 && silence !== undefined) silent.set(url, silence);
    }
    return new UnknownModelError(model, [...served], silent);
  }
}
