// The states of a request, the verdicts on heads of responses, and the statuses that mean something to the machine.

/**
 * - `arrived`: not admitted yet.
 * - `admitted`: may be sent to an engine, and has no attempt in flight.
 * - `waiting`: has no attempt in flight, and waits for an engine, or for what is known of those that it broke.
 * - `picked`: an engine is picked, nothing is sent. Lasts no longer than the turn of an input, in which no
 *   other input is handled.
 * - `sent`: an attempt is in flight, and the client has received nothing, though a head may be held: the
 *   only state to retry from.
 * - `firstByte`: the response has begun, none of its body has arrived.
 * - `streaming`: the body is on its way to the client.
 * - `ended`.
 */
export type AttemptState =
  | 'arrived'
  | 'admitted'
  | 'waiting'
  | 'picked'
  | 'sent'
  | 'firstByte'
  | 'streaming'
  | 'ended';

/**
 * What to do with the head of a response. `pass`: it goes to the client. `hold`: keep it, and ask again
 * when the first of the body arrives. `drop`: the request has moved to another engine.
 */
export type HeadVerdict = 'pass' | 'hold' | 'drop';

/** Lowest status of a response with which the request counts as failed. */
export const failedStatusMin = 500;
/** Lowest status of a response that is no success. */
export const redirectStatusMin = 300;
/** Lowest status of a response that says nothing about how fast the engine computes. */
export const errorStatusMin = 400;
/** Status of a request whose time is over before its response begins. */
export const lateStatus = 504;
/** nginx's status for a client that left before its response was complete. */
export const clientLeftStatus = 499;
/** Status of the response to a request that a stopping router has not sent to its end. */
export const stoppingStatus = 503;
