// Which API the model of an engine answers: a chat, or what models without a chat template, or without text, have instead.
import { type ProbeAnswer, type ProbeTls, probe } from '../../io/processes/index.ts';

/** An API in the order in which a model is asked for it; the first is what most models have. */
export type AnsweredApi =
  | 'chat'
  | 'completion'
  | 'embedding'
  | 'rerank'
  | 'score'
  | 'classify'
  | 'pooling';

/** The paths of these APIs, as vLLM names them. */
export const apiPaths: Readonly<Record<AnsweredApi, string>> = {
  chat: '/v1/chat/completions',
  completion: '/v1/completions',
  embedding: '/v1/embeddings',
  rerank: '/rerank',
  score: '/score',
  classify: '/classify',
  pooling: '/pooling',
};

export interface AskedEngine {
  /** Base URL, without /v1. */
  readonly url: string;
  readonly model: string;
  readonly key?: string | undefined;
  /** Value of `Authorization`, in place of the key. */
  readonly authorization?: string | undefined;
  readonly tls?: ProbeTls | undefined;
}

/** For all questions together. */
const timeoutMs = 3_000;

/**
 * Asks an engine which APIs it has, without letting it generate.
 *
 * @param stop Aborting it ends the questions.
 * @returns `chat` if the engine does not say within 3 s.
 */
export async function answeredApi(engine: AskedEngine, stop: AbortSignal): Promise<AnsweredApi> {
  const asked = new Questions(engine, AbortSignal.any([stop, AbortSignal.timeout(timeoutMs)]));
  if (await asked.hasRoute('chat')) {
    if (await asked.refusesChats()) return 'completion';
    return (await asked.embedsAllTheSame()) ? 'embedding' : 'chat';
  }
  for (const api of Object.keys(apiPaths) as AnsweredApi[]) {
    if (api !== 'chat' && (await asked.hasRoute(api))) return api;
  }
  return 'chat';
}

class Questions {
  readonly #engine: AskedEngine;
  readonly #signal: AbortSignal;

  constructor(engine: AskedEngine, signal: AbortSignal) {
    this.#engine = engine;
    this.#signal = signal;
  }

  /** Whether the path exists: a GET of it is refused, but not with 404. An engine that does not respond counts as if. */
  async hasRoute(api: AnsweredApi): Promise<boolean> {
    const answer = await this.#ask(apiPaths[api]);
    return answer?.status !== 404;
  }

  /** Whether the model has no chat template: `/tokenize` applies it, and needs no GPU. */
  async refusesChats(): Promise<boolean> {
    const messages = [{ role: 'user', content: 'Hello' }];
    const answer = await this.#ask('/tokenize', { model: this.#engine.model, messages });
    return answer?.status === 400 && /chat template/.test(answer.body);
  }

  /** Older vLLM has all routes for all models, and refuses what the model is not for. */
  async embedsAllTheSame(): Promise<boolean> {
    // Servers of other makers may charge for vectors; they do not have this route.
    if ((await this.#ask(apiPaths.pooling))?.status !== 405) return false;
    const { model } = this.#engine;
    const answer = await this.#ask(apiPaths.embedding, { model, input: 'Hello' });
    return answer?.status === 200;
  }

  /** @returns Undefined without a response. */
  #ask(path: string, body?: object): Promise<ProbeAnswer | undefined> {
    const { url, key, authorization, tls } = this.#engine;
    const json = body === undefined ? undefined : JSON.stringify(body);
    const options = { timeoutMs, signal: this.#signal, key, authorization, tls, json };
    return probe(`${url}${path}`, options).catch(() => undefined);
  }
}
