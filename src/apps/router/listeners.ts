// The router's HTTP servers: one for clients, and one for operators if `--admin-port` names it.
import { createCors } from '../../core/cors/index.ts';
import { browserGuard } from '../../io/browser-guard/index.ts';
import { HttpServer, type ServerMemory, type Ticker } from '../../io/http/index.ts';
import { openNote } from '../../io/listen/index.ts';
import type { RouterOptions } from './options.ts';
import { refusalText } from './requests/answer.ts';
import { dispatcher } from './routes/dispatcher.ts';
import {
  adminRoutes,
  clientRoutes,
  closedAdminRoutes,
  type RouterRoutesContext,
  viewPaths,
} from './routes/router-routes.ts';
import type { ClientKeys } from './settings/keys.ts';
import { type RouterTls, serverTls } from './settings/router-tls.ts';

/** Maximum number of connections to the admin port: probes, scrapers and people. */
const adminConnectionsMax = 256;
/** Time for clients to read the error that ends their response when the router stops. */
const lastWordsMs = 500;

/** Where a router listens. */
export interface ListenAddress {
  readonly url: string;
  readonly port: number;
  readonly adminUrl: string | undefined;
}

interface ListenersParts {
  readonly tls: RouterTls;
  readonly keys: ClientKeys;
  readonly ticker: Ticker;
  readonly memory: ServerMemory;
}

export class Listeners {
  readonly #options: RouterOptions;
  readonly #tls: RouterTls;
  readonly #keys: ClientKeys;
  readonly #server: HttpServer;
  /** The server of `options.admin`. */
  readonly #adminServer: HttpServer | undefined;

  constructor(
    options: RouterOptions,
    context: RouterRoutesContext,
    { tls, keys, ticker, memory }: ListenersParts,
  ) {
    const { rootPath = '', server = {}, admin, host = '127.0.0.1' } = options;
    this.#options = options;
    this.#tls = tls;
    this.#keys = keys;
    const cors = createCors(options.cors ?? {});
    const guardOf = (address: string) =>
      browserGuard({ cors, host: address, allowedHosts: options.allowedHosts });
    const pagePaths = new Set(context.webpage.keys());
    const [own, operators] = [clientRoutes(context), adminRoutes(context)];
    const isClosed = keys !== undefined && options.pickHeader === false;
    const shown = isClosed ? closedAdminRoutes(context) : operators;
    const views = viewPaths(operators);
    const access = { rootPath, keys, peersKey: options.peers?.key, pagePaths, cors, views };
    const shared = { ticker, limits: server, memory, refusal: refusalText };
    this.#server = new HttpServer({
      ...shared,
      ...(server.connectionsMax ? { connectionsMax: server.connectionsMax } : {}),
      ...(tls.listener && { tls: serverTls(tls.listener.material) }),
      ...dispatcher({
        ...{ ...access, routes: admin ? own : { ...shown, ...own }, guard: guardOf(host) },
      }),
    });
    this.#adminServer =
      admin &&
      new HttpServer({
        ...{ ...shared, connectionsMax: adminConnectionsMax },
        ...dispatcher({ ...access, routes: operators, guard: guardOf(admin.host ?? host) }),
      });
  }

  /** @throws {InputError} If a port is in use. */
  async listen(): Promise<ListenAddress> {
    const { host = '127.0.0.1', port: wantedPort, admin } = this.#options;
    const port = await this.#server.listen(host, wantedPort);
    const adminHost = admin?.host ?? host;
    const adminPort =
      admin && (await this.#adminServer?.listen(adminHost, admin.port, '--admin-port'));
    this.#tls.follow((tls) => this.#server.renewTls(tls));
    this.#keys?.follow();
    this.#noteIfOpen();
    return {
      url: urlOf(this.#tls.listener ? 'https' : 'http', host, port),
      port,
      adminUrl: adminPort === undefined ? undefined : urlOf('http', adminHost, adminPort),
    };
  }

  /** Says so if others than this machine can use a port without a key. The admin port asks for no certificate. */
  #noteIfOpen(): void {
    if (this.#keys !== undefined) return;
    const { host = '127.0.0.1', admin, tls, log } = this.#options;
    const remedy = 'Give it one with --api-key-file or SPILLWAY_ROUTER_API_KEY.';
    const notes = [
      tls?.ca === undefined ? openNote(host, 'this router', remedy) : undefined,
      admin && openNote(admin.host ?? host, 'the admin port of this router', remedy),
    ];
    for (const note of notes) if (note !== undefined) log.warning(note);
  }

  /** From now on, no connection is kept after its request. */
  retire(): void {
    this.#server.retire();
  }

  /** Waits for the requests in flight; after the time, ends them with an error. */
  async drain(shutdownTimeoutMs: number): Promise<void> {
    const drained = this.#server.drain();
    if (await isDoneWithin(drained, shutdownTimeoutMs)) return;
    this.#server.stopExchanges();
    await isDoneWithin(drained, lastWordsMs);
  }

  /** Closes all connections at once. */
  destroy(): void {
    this.#server.destroy();
    this.#adminServer?.destroy();
  }
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** @returns Whether it is done before the time is over. */
async function isDoneWithin(work: Promise<void>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const isDone = await Promise.race([work.then(() => true), timeout]);
  clearTimeout(timer);
  return isDone;
}
