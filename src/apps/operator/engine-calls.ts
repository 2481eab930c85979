// What the operator asks of engines: which adapters they have, to load one, to unload one.
import type { AdapterAction, AdapterCard } from '../../core/operator/index.ts';
import { callPod } from './pod-call.ts';

/** Deadlines: a load reads gigabytes from a disk, a download fetches them. */
const reportTimeoutMs = 10_000;
const loadTimeoutMs = 300_000;
const downloadTimeoutMs = 1_800_000;
/** Longest response that is read. A thousand adapters take 200 KB. */
const responseBytesMax = 4 * 1_048_576;
const messageCharactersMax = 300;

/** An engine or its sidecar did not do what it was asked for. */
export class EngineCallError extends Error {
  /** For the condition of a resource. */
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface EngineCallOptions {
  readonly apiKey: string | undefined;
  readonly signal: AbortSignal;
}

interface Asked extends EngineCallOptions {
  readonly body?: object;
  readonly timeoutMs: number;
  readonly reason: string;
}

/** @throws {EngineCallError} If the engine does not say. */
export async function loadedAdapters(
  url: string,
  options: EngineCallOptions,
): Promise<readonly AdapterCard[]> {
  const asked = { ...options, timeoutMs: reportTimeoutMs, reason: 'EngineUnreachable' };
  const { status, text } = await ask(`${url}/v1/models`, asked);
  const list = status === 200 ? parsed(text) : undefined;
  const { data } = (list ?? {}) as { readonly data?: unknown };
  if (!Array.isArray(data)) {
    throw new EngineCallError('EngineUnreachable', `/v1/models: ${describe(status, text)}`);
  }
  // Base models have no parent.
  return data
    .filter((card) => typeof card?.id === 'string' && typeof card.parent === 'string')
    .map(({ id, root }) => ({ name: id, path: typeof root === 'string' ? root : '' }));
}

/** @throws {EngineCallError} If it is not loaded afterwards. */
export async function loadAdapter(
  { pod, name, path, isReplaced }: AdapterAction,
  options: EngineCallOptions,
): Promise<void> {
  const asked = { ...options, timeoutMs: loadTimeoutMs, reason: 'LoadFailed' };
  const url = `${pod.url}/v1/load_lora_adapter`;
  const body = { lora_name: name, lora_path: path, ...(isReplaced && { load_inplace: true }) };
  const { status, text } = await ask(url, { ...asked, body });
  if (status === 200) return;
  const hasIt = status === 400 && text.includes('has already been loaded');
  // Another operator was faster; what it loaded is seen at the next look.
  if (hasIt && !isReplaced) return;
  if (!hasIt) throw refusal('LoadFailed', status, text);
  // This engine is older than load_inplace.
  await unloadAdapter({ pod, name }, options);
  const again = await ask(url, { ...asked, body });
  if (again.status !== 200) throw refusal('LoadFailed', again.status, again.text);
}

/** @throws {EngineCallError} If it is still loaded. */
export async function unloadAdapter(
  { pod, name }: Pick<AdapterAction, 'pod' | 'name'>,
  options: EngineCallOptions,
): Promise<void> {
  const { status, text } = await ask(`${pod.url}/v1/unload_lora_adapter`, {
    ...options,
    ...{ timeoutMs: reportTimeoutMs, reason: 'UnloadFailed', body: { lora_name: name } },
  });
  if (status !== 200 && !(status === 404 && text.includes('cannot be found'))) {
    throw refusal('UnloadFailed', status, text);
  }
}

/**
 * Has the sidecar of a pod download an adapter; one that is there already is not downloaded again.
 *
 * @throws {EngineCallError} If it fails.
 */
export async function downloadAdapter(
  { url, repository, folder }: NonNullable<AdapterAction['download']>,
  credentials: string | undefined,
  options: EngineCallOptions,
): Promise<void> {
  const { status, text } = await ask(`${url}/model/download`, {
    ...options,
    ...{ timeoutMs: downloadTimeoutMs, reason: 'DownloadFailed' },
    body: { model_id: repository, local_dir: folder, ...(credentials && { token: credentials }) },
  });
  if (status !== 200) throw refusal('DownloadFailed', status, text);
}

function refusal(reason: string, status: number, text: string): EngineCallError {
  // vLLM has the route only if adapters may change while it runs.
  if (reason !== 'DownloadFailed' && status === 404 && /^\{"detail":"Not Found"\}/.test(text)) {
    const message =
      'the engine does not load adapters while it runs: it needs --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True.';
    return new EngineCallError('RuntimeUpdatesDisabled', message);
  }
  return new EngineCallError(reason, describe(status, text));
}

function describe(status: number, text: string): string {
  const body = Object(parsed(text)) as Readonly<Record<string, unknown>>;
  const error = Object(body['error'] ?? body) as Readonly<Record<string, unknown>>;
  const said = error['message'] ?? body['detail'] ?? text;
  return `status ${status}: ${String(said).slice(0, messageCharactersMax)}`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function ask(
  url: string,
  { reason, ...call }: Asked,
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    return await callPod(url, { ...call, bytesMax: responseBytesMax });
  } catch (cause) {
    throw new EngineCallError(reason, (cause as Error).message, { cause });
  }
}
