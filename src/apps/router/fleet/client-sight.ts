// What clients may see of engines: names, or also URLs and the reasons of picks.

/**
 * A client that may see everything learns from the reason of a pick whether another client's prompt is in a cache, and from URLs how
 * the network is built. One that may not gets names; an engine without a name of its own has a number.
 */
export interface ClientSight {
  readonly isOpen: boolean;
}

/** What a client is told of one engine. */
export interface ShownEngine {
  /** For headers. */
  readonly name: string;
  /** For sentences. */
  readonly label: string;
}

/** @param number Of the engine, among all that the router has had. */
export function shownEngine(
  { isOpen }: ClientSight,
  engine: { readonly url: string; readonly ownName: string | undefined; readonly number: number },
  label: string,
): ShownEngine {
  const { url, ownName, number } = engine;
  if (isOpen) return { name: url, label };
  const name = ownName ?? `engine-${number}`;
  return { name, label: name };
}

/** Why an engine failed, for a client: errors of the operating system and of TLS have addresses in their texts. */
export function shownFailure(
  { isOpen }: ClientSight,
  { message, code }: { readonly message: string; readonly code?: string | undefined },
): string {
  return isOpen || code === undefined ? message : `the connection failed (${code})`;
}

/** Why an engine is in its state, for a client: what stands in parentheses is for operators. */
export function shownReason({ isOpen }: ClientSight, reason: string): string {
  return isOpen ? reason : (reason.split(' (', 1)[0] ?? '');
}
