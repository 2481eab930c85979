// The test of a stack that serves: models, a chat, a completion, a stream, routing over all engines, metrics.
import { counted, NoResponseError, withoutCredentials } from '../../core/base/index.ts';
import { http, type RouterAnswer } from './http-answer.ts';

export type CheckResult = 'ok' | 'failed' | 'skipped';

export interface SmokeCheck {
  readonly name: 'models' | 'chat' | 'completion' | 'stream' | 'routing' | 'metrics';
  readonly result: CheckResult;
  /** One phrase. */
  readonly detail: string;
}

export interface SmokeReport {
  readonly url: string;
  readonly ok: boolean;
  readonly models: readonly string[];
  readonly checks: readonly SmokeCheck[];
}

export interface EnginePod {
  readonly name: string;
  readonly ip: string;
}

export interface SmokeOptions {
  /** Of the router, without `/v1`. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** @see RouterRequest.isTunnel */
  readonly isTunnel?: boolean | undefined;
  /** Pods of the engines over which requests must be spread; undefined if they are not known. */
  readonly engines?: readonly EnginePod[] | undefined;
  /** Maximum time of one request. @default 60000 */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onCheck?: ((check: SmokeCheck) => void) | undefined;
}

const prompt = 'The capital of France is';
const completionTokens = 16;
/** Requests to each engine before routing is said not to reach one. */
const requestsPerEngineMax = 12;

/** Runs all checks, the later ones also after one that failed. Throws only if the signal is aborted. */
export async function smoke(options: SmokeOptions): Promise<SmokeReport> {
  const { url, onCheck, signal } = options;
  const checks: SmokeCheck[] = [];
  const run = async (name: SmokeCheck['name'], work: () => Promise<Verdict>) => {
    const verdict = await work().catch((error: unknown): Verdict => {
      signal?.throwIfAborted();
      return { result: 'failed', detail: error instanceof Error ? error.message : String(error) };
    });
    const check = { name, ...verdict };
    checks.push(check);
    onCheck?.(check);
    return check;
  };
  let models: readonly string[] = [];
  await run('models', async () => {
    models = await listModels(options);
    return models.length > 0
      ? { result: 'ok', detail: models.join(', ') }
      : { result: 'failed', detail: 'the router serves no model: no engine is ready' };
  });
  const kinds = new Map<string, ModelKind>();
  await run('chat', () => each(models, (model) => chat(options, model, kinds)));
  const writers = models.filter((model) => (kinds.get(model) ?? 'text') === 'text');
  const none = models.length === 0 ? 'no model' : 'no model generates text';
  await run('completion', () => each(writers, (model) => completion(options, model), none));
  await run('stream', () => each(writers, (model) => streamed(options, model), none));
  await run('routing', () => routing(options, models, kinds));
  await run('metrics', () => metrics(options));
  return {
    url: withoutCredentials(url),
    ok: checks.every(({ result }) => result !== 'failed'),
    models,
    checks,
  };
}

/** @throws {NoResponseError} If nothing responds there at all, which no check of a router could say. */
export async function checkReached(options: SmokeOptions): Promise<void> {
  try {
    await ask(options, 'GET', '/v1/models');
  } catch (cause) {
    options.signal?.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NoResponseError(`${withoutCredentials(options.url)} cannot be reached: ${reason}.`, {
      cause,
    });
  }
}

type Verdict = Pick<SmokeCheck, 'result' | 'detail'>;

async function each(
  models: readonly string[],
  work: (model: string) => Promise<string>,
  none = 'no model',
): Promise<Verdict> {
  if (models.length === 0) return { result: 'skipped', detail: none };
  const details: string[] = [];
  for (const model of models) details.push(await work(model));
  return { result: 'ok', detail: details.join('; ') };
}

/** @throws {Error} If there is no list. */
export async function listModels(options: SmokeOptions): Promise<readonly string[]> {
  const answer = await ask(options, 'GET', '/v1/models');
  const { data } = parsed(answer) as { readonly data?: readonly { readonly id?: unknown }[] };
  if (answer.status !== 200 || !Array.isArray(data)) throw new Error(unexpected(answer));
  return data.flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
}

/** What a model returns: text, vectors, or scores of pairs of texts. */
type ModelKind = 'text' | 'vectors' | 'scores';

/** Requests of models that return no text; an engine has the routes of its task only. */
const otherKinds = [
  ['vectors', 'an embedding', '/v1/embeddings', { input: prompt }],
  ['scores', 'a score', '/v1/score', { text_1: prompt, text_2: 'Paris' }],
] as const;

/**
 * One chat that is not empty; an embedding or a score, if the model generates no text.
 *
 * @param kinds Gets what the model returns.
 * @throws {Error} If the response is empty, or an error came; the message says which.
 */
async function chat(
  options: SmokeOptions,
  model: string,
  kinds: Map<string, ModelKind>,
): Promise<string> {
  const started = performance.now();
  const took = () => `in ${Math.round(performance.now() - started)} ms`;
  const answer = await ask(options, 'POST', '/v1/chat/completions', {
    ...{ model, max_tokens: completionTokens, temperature: 0 },
    messages: [{ role: 'user', content: 'What is the capital of France?' }],
  });
  if (answer.status === 200) {
    kinds.set(model, 'text');
    if (!saysSomething(parsed(answer))) throw new Error(`${model} responded with an empty chat`);
    return `${model} ${took()}`;
  }
  if (generatesNoText(answer)) {
    const found = await otherKind(options, model);
    if (found !== undefined) {
      kinds.set(model, found.kind);
      return `${model}: ${found.what} ${took()}`;
    }
  }
  // Base models have none, and vLLM then refuses chats; completions work.
  if (answer.status === 400 && /chat template/.test(answer.body)) {
    kinds.set(model, 'text');
    return `${model} has no chat template, so it refuses chats`;
  }
  throw new Error(unexpected(answer));
}

async function otherKind(
  options: SmokeOptions,
  model: string,
): Promise<{ readonly kind: ModelKind; readonly what: string } | undefined> {
  for (const [kind, what, path, body] of otherKinds) {
    const { status } = await ask(options, 'POST', path, { model, ...body });
    if (status === 200) return { kind, what };
  }
  return undefined;
}

/** An engine without the route, or an older vLLM, which has the route and refuses. */
function generatesNoText({ status, body }: RouterAnswer): boolean {
  return status === 404 || (status === 400 && /does not support/i.test(body));
}

/** Reasoning and tool calls count, too: 16 tokens may not suffice for more. */
function saysSomething(answer: unknown): boolean {
  const { choices } = (answer ?? {}) as {
    readonly choices?: readonly { readonly message?: Readonly<Record<string, unknown>> }[];
  };
  const { content, reasoning, reasoning_content, tool_calls } = choices?.[0]?.message ?? {};
  const isText = (value: unknown) => typeof value === 'string' && value.trim() !== '';
  const isCall = Array.isArray(tool_calls) && tool_calls.length > 0;
  return [content, reasoning, reasoning_content].some(isText) || isCall;
}

/**
 * One completion that is not empty; an embedding or a score, if the model generates no text.
 *
 * @throws {Error} If it is empty, or an error came; the message says which.
 */
export async function completion(options: SmokeOptions, model: string): Promise<string> {
  const started = performance.now();
  const answer = await ask(options, 'POST', '/v1/completions', bodyOf(model, prompt, false));
  const text = textOf(parsed(answer));
  const other = generatesNoText(answer) ? await otherKind(options, model) : undefined;
  if (other !== undefined) {
    return `${model}: ${other.what} in ${Math.round(performance.now() - started)} ms`;
  }
  if (answer.status !== 200) throw new Error(unexpected(answer));
  if (text.trim() === '') throw new Error(`${model} responded with an empty completion`);
  return `${model} in ${Math.round(performance.now() - started)} ms`;
}

async function streamed(options: SmokeOptions, model: string): Promise<string> {
  const answer = await ask(options, 'POST', '/v1/completions', bodyOf(model, prompt, true));
  if (answer.status !== 200) throw new Error(unexpected(answer));
  const events = answer.body
    .split(/\r?\n\r?\n/)
    .flatMap((event) => event.split(/\r?\n/).filter((line) => line.startsWith('data:')))
    .map((line) => line.slice(5).trim());
  if (events.at(-1) !== '[DONE]') throw new Error(`the stream of ${model} ended without [DONE]`);
  const chunks = events.slice(0, -1).map((data) => JSON.parse(data) as unknown);
  const text = chunks.map(textOf).join('');
  if (text.trim() === '') throw new Error(`the stream of ${model} had no text`);
  return `${model}: ${chunks.length} chunks`;
}

/** Sends requests until the headers of the router named each engine, or there were enough. */
async function routing(
  options: SmokeOptions,
  models: readonly string[],
  kinds: ReadonlyMap<string, ModelKind>,
): Promise<Verdict> {
  const { engines } = options;
  if (engines === undefined) return { result: 'skipped', detail: 'the engines are not known' };
  if (engines.length === 0) return { result: 'failed', detail: 'no engine is ready' };
  if (models.length === 0) return { result: 'skipped', detail: 'no model' };
  const seen = new Set<EnginePod>();
  const others = new Set<string>();
  let sent = 0;
  while (seen.size < engines.length && sent < requestsPerEngineMax * engines.length) {
    // At once, and with prompts that share no prefix, so that load and caches tell for all engines.
    const wave = engines.flatMap((_, index) =>
      models.map((model) => {
        const text = `${(sent + index).toString(36)}-${Math.random().toString(36).slice(2)} ${prompt}`;
        return ask(options, 'POST', ...smallRequest(model, kinds.get(model), text));
      }),
    );
    sent += wave.length;
    for (const answer of await Promise.all(wave)) {
      if (answer.status !== 200) throw new Error(unexpected(answer));
      const url = answer.headers.get('x-spillway-engine');
      if (url === undefined) {
        const detail =
          "responses do not name their engine, so routing cannot be seen; only Spillway's router sends x-spillway-engine";
        return { result: 'failed', detail };
      }
      const engine = engineOf(engines, url, answer.headers.get('x-spillway-engine-name'));
      if (engine === undefined) others.add(url);
      else seen.add(engine);
    }
  }
  const requests = counted(sent, 'request');
  const missed = engines.filter((engine) => !seen.has(engine));
  if (missed.length === 0) {
    const detail = `all of ${counted(engines.length, 'engine')} responded, after ${requests}`;
    return { result: 'ok', detail };
  }
  const elsewhere = [...others].slice(0, namedMax).join(', ');
  return {
    result: 'failed',
    detail:
      `${named(missed)} got none of ${requests}; ${seen.size} of ${counted(engines.length, 'engine')} responded` +
      (elsewhere === ''
        ? ''
        : `; other responses are from ${elsewhere}, which is no engine of the release`),
  };
}

/** The pod that a response is from: by its name, or by an address that no other pod has (pods of a host network share one). */
function engineOf(
  engines: readonly EnginePod[],
  url: string,
  name: string | undefined,
): EnginePod | undefined {
  // A router of several namespaces puts the namespace before the name.
  const podName = name?.slice(name.lastIndexOf('/') + 1);
  const byName = engines.find((engine) => engine.name === podName);
  if (byName !== undefined) return byName;
  const address = URL.parse(url)?.hostname.replace(/^\[|\]$/g, '');
  const byAddress = engines.filter(({ ip }) => ip === address);
  return byAddress.length === 1 ? byAddress[0] : undefined;
}

/** Engines that a sentence names. */
const namedMax = 10;

function named(engines: readonly EnginePod[]): string {
  const names = engines.slice(0, namedMax).map(({ name, ip }) => `${name} (${ip})`);
  const more = engines.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

async function metrics(options: SmokeOptions): Promise<Verdict> {
  const answer = await ask(options, 'GET', '/metrics');
  if (answer.status !== 200) throw new Error(unexpected(answer));
  const families = answer.body.split('\n').filter((line) => line.startsWith('# TYPE ')).length;
  return /^vllm:/m.test(answer.body)
    ? { result: 'ok', detail: `${families} metrics` }
    : { result: 'failed', detail: '/metrics has no metric of vLLM' };
}

function smallRequest(
  model: string,
  kind: ModelKind | undefined,
  text: string,
): readonly [path: string, body: object] {
  if (kind === 'vectors') return ['/v1/embeddings', { model, input: text }];
  if (kind === 'scores') return ['/v1/score', { model, text_1: text, text_2: prompt }];
  return ['/v1/completions', bodyOf(model, text, false)];
}

function bodyOf(model: string, text: string, stream: boolean): object {
  return { model, prompt: text, max_tokens: completionTokens, temperature: 0, stream };
}

function ask(
  { url, apiKey, isTunnel, timeoutMs = 60_000, signal }: SmokeOptions,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<RouterAnswer> {
  return http({ url: `${url}${path}`, method, apiKey, isTunnel, body, timeoutMs, signal });
}

function parsed({ body }: RouterAnswer): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return {};
  }
}

function textOf(answer: unknown): string {
  const { choices } = (answer ?? {}) as {
    readonly choices?: readonly { readonly text?: unknown }[];
  };
  const text = choices?.[0]?.text;
  return typeof text === 'string' ? text : '';
}

function unexpected({ status, body }: RouterAnswer): string {
  const text = body.replaceAll(/\s+/g, ' ').trim().slice(0, 200);
  if (status === 401) return 'status 401: give the router’s key in OPENAI_API_KEY';
  return `status ${status}${text === '' ? '' : `: ${text}`}`;
}
