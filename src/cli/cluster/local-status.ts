// The states of the stacks that `spillway up` runs on this machine, for `spillway status` where nothing names a cluster.
import { parseRouterView, type RouterView } from '../../core/views/index.ts';
import type { LocalStack } from '../../io/local-stacks/index.ts';
import { PinnedCertificate, probe } from '../../io/processes/index.ts';
import { apiKeyOf } from './stack-flags.ts';

/** A stack of this machine as its router sees it. */
export interface LocalState {
  readonly stack: LocalStack;
  /** Undefined if there is no router, or it does not respond as expected. */
  readonly view: RouterView | undefined;
  /** Why there is no view; '' if there is one. */
  readonly problem: string;
  /** All engines get requests. False without a view. */
  readonly isReady: boolean;
}

const timeoutMs = 5_000;

/** Asks the router of a stack for its engines. */
export async function localState(stack: LocalStack, signal: AbortSignal): Promise<LocalState> {
  const view = await routerView(stack, signal);
  if (typeof view === 'string') return { stack, view: undefined, problem: view, isReady: false };
  const isReady = view.engines.length > 0 && view.engines.every(({ state }) => state === 'live');
  return { stack, view, problem: '', isReady };
}

async function routerView(
  { router, page, certificate }: LocalStack,
  signal: AbortSignal,
): Promise<RouterView | string> {
  // With client certificates, the views are at the address of the page.
  const base = page ?? router;
  if (base === undefined) return 'it has no router to ask';
  try {
    const url = new URL('/debug/router', base).href;
    // The stack's own certificate, which no authority has to know.
    const tls =
      certificate === undefined ? undefined : { pinned: new PinnedCertificate(certificate) };
    const { status, body } = await probe(url, { timeoutMs, signal, key: apiKeyOf(), tls });
    if (status === 401) return 'its router wants a key: set OPENAI_API_KEY';
    return status === 200 ? parseRouterView(body) : `its router answers with status ${status}`;
  } catch (error) {
    signal.throwIfAborted();
    return `its router does not respond: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** A line for the stack, and one per engine. */
export function localStateLines({ stack, view, problem, isReady }: LocalState): readonly string[] {
  const name = `up, process ${stack.pid}${stack.router === undefined ? '' : ` at ${stack.router}`}`;
  if (view === undefined) return [`✗ ${name}: ${problem}`];
  const live = view.engines.filter(({ state }) => state === 'live').length;
  const counts = `${live}/${view.engines.length} engines live, ${view.policy}, ${view.inflight} requests in flight`;
  return [
    `${isReady ? '✓' : '!'} ${name}: ${counts}`,
    ...view.engines.map(({ name, url, state }) => `    ${name} ${url}: ${state}`),
  ];
}

export function localStateJson({ stack, view, problem, isReady }: LocalState): object {
  return {
    ...{ pid: stack.pid, router: stack.router ?? null, page: stack.page ?? null, ready: isReady },
    problem: problem || null,
    engines: view?.engines.map(({ name, url, state }) => ({ name, url, state })) ?? [],
  };
}
