// Asks engines for the tokens of prompts whose tokenizer the router lacks. Off by default: a slow engine delays picks
// by up to the timeout.
import type { RoutingCore } from '../../../core/routing/index.ts';
import { fetchBytes } from '../../../io/http/index.ts';
import type { Engine } from '../fleet/engine.ts';

/** About 4 M tokens. */
const answerBytesMax = 32 * 1_048_576;
/** An engine that did not respond in time is not asked for this long. */
const pauseMs = 30_000;
/** Fields of a request that determine its tokens, and that /tokenize accepts under the same names. */
const tokenizableKeys = [
  ...['prompt', 'messages', 'tools', 'add_special_tokens', 'add_generation_prompt'],
  ...['continue_final_message', 'chat_template_kwargs'],
];

interface Asked {
  /** Questions without a response yet. */
  open: number;
  pausedUntilMs: number;
}

export class EngineTokenize {
  readonly #core: RoutingCore;
  readonly #engines: ReadonlyMap<string, Engine>;
  readonly #timeoutMs: number;
  readonly #asked = new WeakMap<Engine, Asked>();

  constructor(
    core: RoutingCore,
    engines: ReadonlyMap<string, Engine>,
    options: { readonly timeoutMs: number },
  ) {
    this.#core = core;
    this.#engines = engines;
    this.#timeoutMs = options.timeoutMs;
  }

  /**
   * @param body The JSON body of a chat or completion.
   * @returns Undefined if no engine responds in time. Never rejects.
   */
  async tokens(model: string, body: Uint8Array): Promise<Uint32Array | undefined> {
    const engine = this.#leastAsked(model);
    if (engine === undefined) return undefined;
    const asked = this.#askedOf(engine);
    asked.open++;
    try {
      const answer = await fetchBytes(engine.pool, {
        method: 'POST',
        target: `${engine.basePath}/tokenize`,
        headers: ['Content-Type: application/json', ...engine.authorizationLines],
        body: Buffer.from(JSON.stringify(questionOf(model, body))),
        timeoutMs: this.#timeoutMs,
        bytesMax: answerBytesMax,
      });
      if (answer.status !== 200) return undefined;
      const { tokens } = JSON.parse(answer.body.toString()) as { tokens?: unknown };
      return Array.isArray(tokens) ? Uint32Array.from(tokens as number[]) : undefined;
    } catch {
      asked.pausedUntilMs = performance.now() + pauseMs;
      return undefined;
    } finally {
      asked.open--;
    }
  }

  /** One that is stuck keeps its question open, so that the next one goes to another engine. */
  #leastAsked(model: string): Engine | undefined {
    const nowMs = performance.now();
    let best: Engine | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (const { url, state, models, load } of this.#core.endpoints()) {
      const engine = this.#engines.get(url);
      if (engine === undefined || state !== 'live' || !models.includes(model)) continue;
      const { open, pausedUntilMs } = this.#askedOf(engine);
      if (pausedUntilMs > nowMs) continue;
      const cost = 1_000_000 * open + load.inflight;
      if (cost >= fewest) continue;
      best = engine;
      fewest = cost;
    }
    return best;
  }

  #askedOf(engine: Engine): Asked {
    let asked = this.#asked.get(engine);
    if (asked === undefined) {
      asked = { open: 0, pausedUntilMs: 0 };
      this.#asked.set(engine, asked);
    }
    return asked;
  }
}

function questionOf(model: string, body: Uint8Array): object {
  const fields = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>;
  // JSON has no fields that are undefined.
  return { model, ...Object.fromEntries(tokenizableKeys.map((key) => [key, fields[key]])) };
}
