// The cluster as the workflow reads it: lists and objects, with errors that name what is missing.
import type { IncomingMessage } from 'node:http';
import { NoResponseError } from '../../core/base/index.ts';
import { at, listAt, textAt } from '../../core/kubernetes/index.ts';
import {
  type ApiCall,
  ApiStatusError,
  apiGet,
  apiSend,
  type ContextAccess,
} from '../../io/kubernetes/index.ts';
import { DeployError } from './deploy-error.ts';

/** Objects of a page of a list. */
const pageObjects = 250;
/** A stack has hundreds of objects; what is beyond is not read. */
const pagesMax = 40;

export class Cluster {
  readonly access: ContextAccess;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;

  /** @param options.timeoutMs Maximum time of one request. @default 15000 */
  constructor(
    access: ContextAccess,
    options: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number } = {},
  ) {
    this.access = access;
    this.#signal = options.signal;
    this.#timeoutMs = options.timeoutMs ?? 15_000;
  }

  /**
   * Version of the API server, such as `v1.36.3`.
   *
   * @throws {NoResponseError} If it does not respond, or refuses the credentials.
   */
  async version(): Promise<string> {
    return textAt(await this.get('/version'), 'gitVersion');
  }

  /** @returns Undefined if there is no such object, or no such kind. */
  async get(path: string): Promise<unknown> {
    const text = await this.#unlessMissing(() => this.send({ method: 'GET', path }));
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** Reads text, such as a log. @returns Undefined if there is none. */
  async text(path: string): Promise<string | undefined> {
    return this.#unlessMissing(() => this.send({ method: 'GET', path }));
  }

  /**
   * Opens a response that goes on, such as a log that is followed; destroy it to end it.
   *
   * @throws {DeployError} If the API server refuses it.
   */
  async open(path: string): Promise<IncomingMessage> {
    const signal = this.#signal ?? new AbortController().signal;
    try {
      return await apiGet(this.access, { path, signal, headTimeoutMs: this.#timeoutMs });
    } catch (cause) {
      this.#signal?.throwIfAborted();
      throw this.#explained({ method: 'GET', path }, cause);
    }
  }

  /** All objects of a list; none if the cluster does not know the kind. */
  async list(path: string, labelSelector = ''): Promise<readonly unknown[]> {
    const all: unknown[] = [];
    let token = '';
    for (let page = 0; page < pagesMax; page += 1) {
      const query = new URLSearchParams({ limit: String(pageObjects) });
      if (labelSelector !== '') query.set('labelSelector', labelSelector);
      if (token !== '') query.set('continue', token);
      const list = await this.get(`${path}?${query}`);
      // Items of a list have neither kind nor version.
      const kind = textAt(list, 'kind').replace(/List$/, '');
      const apiVersion = textAt(list, 'apiVersion');
      for (const item of listAt(list, 'items')) all.push({ kind, apiVersion, ...(item as object) });
      token = textAt(list, 'metadata', 'continue');
      if (token === '') break;
    }
    return all;
  }

  /** As `list`, but undefined if this user may not read it. */
  async listIfAllowed(path: string): Promise<readonly unknown[] | undefined> {
    try {
      return await this.list(path);
    } catch (error) {
      if (error instanceof DeployError && isForbidden(error.cause)) return undefined;
      throw error;
    }
  }

  /**
   * @throws {NoResponseError} If the API server does not respond, or refuses the credentials.
   * @throws {DeployError} If it refuses what is asked.
   */
  async send(call: ApiCall): Promise<string> {
    try {
      return await apiSend(this.access, {
        timeoutMs: this.#timeoutMs,
        ...(this.#signal && { signal: this.#signal }),
        ...call,
      });
    } catch (cause) {
      this.#signal?.throwIfAborted();
      throw this.#explained(call, cause);
    }
  }

  #explained({ method, path }: ApiCall, cause: unknown): Error {
    const { context, server } = this.access;
    if (!(cause instanceof ApiStatusError)) {
      const reason = reasonOf(cause);
      return new NoResponseError(
        `Cannot reach the cluster of context ${context} at ${server}: ${reason}; check that it runs, or choose another one with --context.`,
        { cause },
      );
    }
    if (cause.status === 401) {
      return new NoResponseError(
        `The cluster of context ${context} does not accept the credentials of the kubeconfig; log in again.`,
        { cause },
      );
    }
    const [where] = path.split('?');
    if (cause.status === 403) {
      return new DeployError(`The cluster refuses ${method} ${where}: ${cause.message}.`, {
        cause,
      });
    }
    return new DeployError(`${method} ${where} failed: ${cause.message}.`, { cause });
  }

  async #unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof DeployError && statusOf(error.cause) === 404) return undefined;
      throw error;
    }
  }
}

/** The status with which the API server refused; 0 for another error. */
function statusOf(error: unknown): number {
  return error instanceof ApiStatusError ? error.status : 0;
}

function isForbidden(error: unknown): boolean {
  return statusOf(error) === 403;
}

function reasonOf(error: unknown): string {
  const code = at(error, 'code');
  const message = error instanceof Error ? error.message : String(error);
  // An error for several addresses has no message.
  return (message || (typeof code === 'string' ? code : 'no reason')).replace(/\.$/, '');
}
