// Waits until a stack serves: all its components ready, then a completion from every model.
import type { ComponentState, StackState } from '../../core/deploy/index.ts';
import { delay } from '../../io/processes/index.ts';
import { completion, listModels, type SmokeOptions } from './smoke.ts';

export interface ServingWait<Stack extends StackState> {
  /** Reads the state of the stack. */
  readonly observe: () => Promise<Stack>;
  /** Asks every model for a completion; called while all components are ready. */
  readonly complete: () => Promise<Completions>;
  /** Maximum time until the stack serves, in ms. */
  readonly waitMs: number;
  /** Interval between two observations, in ms. @default 1000 */
  readonly pollMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The state of a component differs from the one before. */
  readonly onChange?: ((component: ComponentState) => void) | undefined;
  /** Words for reasons: what a stack consists of, and the command that shows its logs. */
  readonly words: { readonly parts: string; readonly logs: string };
}

export interface Completions {
  /** Each model with the time of its first completion. */
  readonly completions: readonly string[];
  /** Why a model does not respond; '' if all did. */
  readonly reason: string;
}

export interface Served<Stack extends StackState> extends Completions {
  readonly stack: Stack;
  readonly isServing: boolean;
  readonly next: string;
}

/** Time after which a state that will not end by itself ends the wait: components of the old version may be stopping. */
const failedForMs = 10_000;
const completionTimeoutMs = 60_000;

export async function waitUntilServing<Stack extends StackState>(
  options: ServingWait<Stack>,
): Promise<Served<Stack>> {
  const { observe, complete, waitMs, pollMs = 1_000, signal, onChange } = options;
  const deadline = performance.now() + waitMs;
  const reported = new Map<string, string>();
  let failedAt: number | undefined;
  let refused = '';
  for (;;) {
    const stack = await observe();
    for (const component of stack.components) {
      const { name, ready, wanted, health, reason } = component;
      const text = `${ready}/${wanted} ${health} ${reason}`;
      if (reported.get(name) === text) continue;
      reported.set(name, text);
      onChange?.(component);
    }
    if (stack.health === 'ready') {
      const served = await complete();
      if (served.reason === '') return { stack, isServing: true, ...served, next: '' };
      refused = served.reason;
    }
    failedAt = stack.health === 'failed' ? (failedAt ?? performance.now()) : undefined;
    const isFinal = failedAt !== undefined && performance.now() - failedAt >= failedForMs;
    if (isFinal || performance.now() >= deadline) {
      const within = isFinal ? '' : ` within ${Math.round(waitMs / 1000)} s`;
      const why = whyNot(stack, refused, within, options.words);
      return { stack, isServing: false, completions: [], ...why };
    }
    await delay(pollMs, signal);
    signal?.throwIfAborted();
  }
}

/** Asks every model of a router for a completion. */
export async function completeAll(
  router: Pick<SmokeOptions, 'url' | 'apiKey' | 'isTunnel' | 'signal'>,
): Promise<Completions> {
  const request = { ...router, timeoutMs: completionTimeoutMs };
  try {
    const models = await listModels(request);
    if (models.length === 0) return { completions: [], reason: 'the router has no model yet' };
    const completions: string[] = [];
    for (const model of models) completions.push(await completion(request, model));
    return { completions, reason: '' };
  } catch (error) {
    request.signal?.throwIfAborted();
    return { completions: [], reason: error instanceof Error ? error.message : String(error) };
  }
}

function whyNot(
  stack: StackState,
  refused: string,
  within: string,
  { parts, logs }: ServingWait<StackState>['words'],
): { readonly reason: string; readonly next: string } {
  if (stack.health === 'ready') {
    return {
      reason: `all ${parts} are ready, but no completion was served${within}: ${refused}`,
      next: `see the logs of router and engines ("${logs}")`,
    };
  }
  const worst =
    stack.components.find(({ health }) => health === stack.health) ?? stack.components[0];
  if (worst === undefined) return { reason: `the release has no ${parts}`, next: '' };
  const { name, ready, wanted, reason, next } = worst;
  return { reason: `${name} is not ready${within} (${ready}/${wanted}): ${reason}`, next };
}
