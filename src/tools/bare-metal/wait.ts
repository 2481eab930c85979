// Waits until the services of a stack are ready, and every model has served a completion.
import type { InstalledRelease } from '../../core/bare-metal/index.ts';
import type { ComponentState, StackState } from '../../core/deploy/index.ts';
import { delay } from '../../io/processes/index.ts';
import { completion, listModels } from '../deploy/index.ts';
import { observeHosts } from './observe.ts';
import type { HostSession } from './session.ts';

export interface HostsServed {
  readonly stack: StackState;
  readonly isServing: boolean;
  /** Each model with the time of its first completion. */
  readonly completions: readonly string[];
  /** Why it does not serve; '' if it does. */
  readonly reason: string;
  readonly next: string;
}

export interface HostsWait {
  readonly session: HostSession;
  readonly installed: readonly InstalledRelease[];
  readonly routerUrl: string | undefined;
  readonly apiKey?: string | undefined;
  readonly waitMs: number;
  readonly onChange: (component: ComponentState) => void;
}

const pollMs = 1_000;
/** Time after which a state that does not end by itself ends the wait. */
const failedForMs = 10_000;
const completionTimeoutMs = 60_000;

export async function waitUntilServing(options: HostsWait): Promise<HostsServed> {
  const { session, installed, waitMs, onChange } = options;
  const deadline = performance.now() + waitMs;
  const told = new Map<string, string>();
  let failedAt: number | undefined;
  let refused = '';
  for (;;) {
    const stack = await observeHosts(session, installed);
    for (const component of stack.components) {
      const { name, ready, wanted, health, reason } = component;
      const text = `${ready}/${wanted} ${health} ${reason}`;
      if (told.get(name) !== text) onChange(component);
      told.set(name, text);
    }
    if (stack.health === 'ready') {
      const served = await tryCompletions(options);
      if (served.reason === '') return { stack, isServing: true, ...served, next: '' };
      refused = served.reason;
    }
    failedAt = stack.health === 'failed' ? (failedAt ?? performance.now()) : undefined;
    const isFinal = failedAt !== undefined && performance.now() - failedAt >= failedForMs;
    if (isFinal || performance.now() >= deadline) {
      return { stack, isServing: false, completions: [], ...whyNot(stack, refused, waitMs) };
    }
    await delay(pollMs, session.signal);
    session.signal?.throwIfAborted();
  }
}

function whyNot(stack: StackState, refused: string, waitMs: number) {
  if (stack.health === 'ready') {
    return {
      reason: `all services are ready, but no completion was served within ${Math.round(waitMs / 1000)} s: ${refused}`,
      next: 'see the logs of router and engines ("spillway logs --target bare-metal")',
    };
  }
  const worst = stack.components.find(({ health }) => health === stack.health);
  if (worst === undefined) return { reason: 'the release has no services', next: '' };
  const { name, ready, wanted, reason, next } = worst;
  return { reason: `${name} is not ready (${ready}/${wanted}): ${reason}`, next };
}

async function tryCompletions({ session, routerUrl, apiKey }: HostsWait) {
  if (routerUrl === undefined) return { completions: [], reason: '' };
  const request = {
    ...{ url: routerUrl, apiKey, signal: session.signal, timeoutMs: completionTimeoutMs },
    // The certificate is for the name that clients use.
    isTunnel: true,
  };
  try {
    const models = await listModels(request);
    if (models.length === 0) return { completions: [], reason: 'the router has no model yet' };
    const completions: string[] = [];
    for (const model of models) completions.push(await completion(request, model));
    return { completions, reason: '' };
  } catch (error) {
    session.signal?.throwIfAborted();
    return { completions: [], reason: error instanceof Error ? error.message : String(error) };
  }
}
