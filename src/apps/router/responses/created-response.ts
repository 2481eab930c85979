// A request that creates a response: remembers which engine has it. A class of its own, so that other requests pay nothing.
import type { ResponseHead } from '../../../io/http/index.ts';
import { ProxiedRequest, type ProxiedRequestOptions } from '../requests/proxied-request.ts';
import type { ProxyContext } from '../requests/proxy-context.ts';
import { noEngine, type ResponseEngines } from './response-engines.ts';
import { ResponseIdReader } from './response-id.ts';

export class CreatedResponse extends ProxiedRequest {
  readonly #engines: ResponseEngines;
  /** Undefined before the response, and once its id is known. */
  #reader: ResponseIdReader | undefined = undefined;
  #isRead = false;
  /** Of the response, as its client knows it. */
  #id: string | undefined = undefined;

  constructor(context: ProxyContext, options: ProxiedRequestOptions, engines: ResponseEngines) {
    super(context, options);
    this.#engines = engines;
  }

  override begin(head: ResponseHead, bytes: Buffer, ended: boolean, chunks: number): boolean {
    if (head.status === 200) {
      if (this.#isRead) this.#learn();
      else if (head.contentEncoding === undefined) {
        this.#reader = new ResponseIdReader(head);
        this.#read(bytes);
      }
    }
    return super.begin(head, bytes, ended, chunks);
  }

  override relay(bytes: Buffer, ended: boolean, chunks: number): boolean {
    this.#read(bytes);
    return super.relay(bytes, ended, chunks);
  }

  /** Before the bytes are relayed: the client's next request may come at once. */
  #read(bytes: Buffer): void {
    const id = this.#reader?.read(bytes);
    if (id === undefined) return;
    this.#reader = undefined;
    this.#isRead = true;
    this.#id = id ?? undefined;
    this.#learn();
  }

  /** At the first engine of the response, and at each one that goes on with it. */
  #learn(): void {
    const url = this.writesRest ? noEngine : this.engineUrl;
    if (this.#id !== undefined && url !== undefined) this.#engines.learn(this.#id, url);
  }
}
