// Errors of the router's own, in place of an engine's response.
import type { AttemptDeadline } from '../../../core/attempts/index.ts';
import { NoEndpointError, UnknownModelError } from '../../../core/routing/index.ts';
import { shownReason } from '../fleet/client-sight.ts';
import type { OpenAiError } from './openai-error.ts';
import type { ProxyContext } from './proxy-context.ts';

/** The error of a request whose response a stopping router does not complete. */
export const stoppingError: OpenAiError = {
  status: 503,
  message: 'The router is shutting down.',
};

/** The error of a request for which no engine could be picked. */
export interface PickRefusal {
  readonly error: OpenAiError;
  /** Whether any engine serves its model. */
  readonly isModelKnown: boolean;
  /** Whether the router is at fault: what it threw belongs in its log. */
  readonly isBug: boolean;
}

/**
 * @param error What the pick threw.
 * @param context What clients see of engines; names are for those who see no URLs.
 */
export function pickRefusal(
  error: unknown,
  { sight, target }: Pick<ProxyContext, 'sight' | 'target'>,
): PickRefusal {
  const name = (url: string) => target(url).shown.label;
  if (error instanceof UnknownModelError) {
    const { httpStatus: status } = error;
    const message = sight.isOpen ? error.message : error.told(name);
    return { error: { status, message, param: 'model' }, isModelKnown: false, isBug: false };
  }
  if (error instanceof NoEndpointError) {
    const { httpStatus: status } = error;
    const message = sight.isOpen
      ? error.message
      : error.told((url, why) => [name(url), shownReason(sight, why)]);
    return { error: { status, message }, isModelKnown: true, isBug: false };
  }
  const message = 'The router failed; see its log.';
  return { error: { status: 500, message }, isModelKnown: true, isBug: true };
}

/** Says which deadline has passed. @param seconds How long the router has waited. */
export function deadlineMessage(deadline: AttemptDeadline, seconds: number): string {
  const waited = `${seconds.toFixed(2)} s`;
  return {
    firstByte: `no response within ${waited}`,
    streamIdle: `no data for ${waited}`,
    engineStall: `no data on any stream of the engine for ${waited}`,
    total: 'the time for the request is over',
  }[deadline];
}
