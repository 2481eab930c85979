// The models of one engine: those that it lists, and those that are assumed until it lists its own.
import type { RoutingCore } from '../../../core/routing/index.ts';
import type { Logger } from '../../../io/log/index.ts';

/** A model as the engine's /v1/models lists it, passed on unchanged. */
export type ModelCard = Readonly<Record<string, unknown>> & { readonly id: string };

export interface EngineModelsOptions {
  readonly url: string;
  readonly core: RoutingCore;
  readonly log: Logger;
  /** Models to assume until the engine lists its own. */
  readonly assumed: readonly string[];
  /** Requests /v1/models. */
  readonly request: () => Promise<{ readonly status: number; readonly body: Uint8Array }>;
  /** The engine with its name, for the log. */
  readonly label: () => string;
  /** Whether it gets no new requests, so that its models no longer matter. */
  readonly isLeaving: () => boolean;
}

const modelsPerEngineMax = 1_000;

export class EngineModels {
  readonly #options: EngineModelsOptions;
  #cards: readonly ModelCard[] = [];
  #assumed: readonly string[];
  #areListed = false;
  #isVllm = false;
  /** Why it lists none, as it was logged. */
  #silence: string | undefined = undefined;

  constructor(options: EngineModelsOptions) {
    this.#options = options;
    this.#assumed = options.assumed;
  }

  /** As the engine lists them; empty until it does. */
  get cards(): readonly ModelCard[] {
    return this.#cards;
  }

  /** Whether the engine says of its models that they are vLLM's. */
  get isVllm(): boolean {
    return this.#isVllm;
  }

  /** Whether the engine has listed models. */
  get areListed(): boolean {
    return this.#areListed;
  }

  /** @param models Assumed if the engine does not list its own. */
  assume(models: readonly string[]): void {
    const { core, url } = this.#options;
    this.#assumed = models;
    if (!this.#areListed) core.addEndpoint({ url, models });
  }

  /** Says once if the engine lacks a model that it was given. */
  #noteOthers(cards: readonly ModelCard[]): void {
    const { log, label } = this.#options;
    const listed = cards.map(({ id }) => id);
    const missing = this.#assumed.filter((model) => !listed.includes(model));
    if (missing.length === 0) return;
    const shown = listed.slice(0, 5).join(', ');
    log.warning(
      `engine ${label()} serves ${shown}, not ${missing.join(', ')} as the router was told: requests for it are not sent there`,
    );
  }

  /** Adopts the models that the engine lists; its static ones stay if it lists none. */
  async learn(): Promise<void> {
    const { core, url, request, isLeaving } = this.#options;
    try {
      const { status, body } = await request();
      if (isLeaving()) return;
      if (status !== 200) {
        this.#listsNone(`/v1/models returned ${status}${cure(status)}`);
        return;
      }
      const cards = modelCards(JSON.parse(body.toString()));
      if (cards.length === 0) return this.#listsNone('/v1/models lists none');
      if (!this.#areListed) this.#noteOthers(cards);
      this.#areListed = true;
      this.#silence = undefined;
      this.#cards = cards;
      this.#isVllm = cards.some((card) => card['owned_by'] === 'vllm');
      const models = cards.map(({ id }) => id);
      const before = core.endpoint(url)?.models.join('\n');
      // Also called at each scrape, when they are the same almost always.
      if (models.join('\n') !== before) core.addEndpoint({ url, models });
    } catch (error) {
      this.#listsNone(`/v1/models: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Logged once, and reported to clients that request a model which no engine is known to serve. */
  #listsNone(why: string): void {
    const { core, log, url, label, isLeaving } = this.#options;
    if (isLeaving()) return;
    core.setModelsUnknown(url, why);
    if (this.#silence === why) return;
    this.#silence = why;
    log[this.#assumed.length > 0 ? 'debug' : 'warning'](
      `engine ${label()}: no list of models: ${why}`,
    );
  }
}

/** What to do about an engine that refuses the router's requests. */
function cure(status: number): string {
  return status === 401 || status === 403
    ? ': give the router the key of the engines in VLLM_API_KEY'
    : '';
}

function modelCards(listing: unknown): ModelCard[] {
  const data = (listing as { data?: unknown } | null)?.data;
  if (!Array.isArray(data)) return [];
  return data
    .filter((card): card is ModelCard => typeof (card as ModelCard | null)?.id === 'string')
    .slice(0, modelsPerEngineMax);
}
