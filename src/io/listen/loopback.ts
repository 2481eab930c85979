// Whether only programs of this machine reach a listener.

/** @param name A host name or address, without brackets. */
export function isLoopback(name: string): boolean {
  return /^(localhost|.*\.localhost|127(\.\d+){3}|::1)$/i.test(name);
}

/**
 * The line with which a program says that it is open; undefined if only this machine reaches it.
 *
 * @param what What everyone can use: `this router`.
 * @param remedy How to close it, as a sentence.
 */
export function openNote(host: string, what: string, remedy: string): string | undefined {
  if (isLoopback(host)) return undefined;
  return `Everyone who reaches ${host} can use ${what}: it has no key. ${remedy}`;
}
