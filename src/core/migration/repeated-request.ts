// Requests of the Messages and Responses APIs that another engine answers again from the beginning: they must give the
// same response twice.
import { withMembers } from '../protocol/index.ts';
import { type ContinuationRefusal, GivenFields } from './continuation-request.ts';
import type { NamedStreamKind } from './named-event.ts';

/** Larger requests are not read a second time; they would block the router for milliseconds. */
const bodyBytesMax = 1024 * 1024;

const fields = [
  'temperature',
  'top_k',
  'seed',
  'kv_transfer_params',
  'background',
  'include',
  'request_id',
] as const;

/**
 * The whole request again.
 *
 * @param hasText Whether the client has a part of the response, which the engine has to repeat.
 * @param id Id of a response, for the next one.
 */
export function repeatedNamedRequest(
  body: Uint8Array,
  kind: NamedStreamKind,
  hasText: boolean,
  id: string | undefined,
): Uint8Array | ContinuationRefusal {
  if (body.length > bodyBytesMax) return 'large';
  const given = new GivenFields(body, fields);
  if (given.value('kv_transfer_params') !== undefined) return 'kvTransfer';
  // The client may ask for the response of the first engine later.
  if (given.value('background') === true) return 'background';
  if (hasText) {
    // A text whose beginning is removed would keep its probabilities.
    if (given.text('include')?.includes('logprobs')) return 'logprobs';
    const isRepeatable =
      given.value('temperature') === 0 ||
      given.value('top_k') === 1 ||
      // The Messages API has no seed.
      (kind === 'responses' && typeof given.value('seed') === 'number');
    if (!isRepeatable) return 'sampled';
  }
  const keepsId =
    kind === 'responses' && id !== undefined && given.value('request_id') === undefined;
  return keepsId ? withMembers(body, { request_id: JSON.stringify(id) }) : body;
}
