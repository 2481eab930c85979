// One finding of "spillway doctor".

export interface Check {
  readonly name:
    | 'context'
    | 'rights'
    | 'storage'
    | 'gpu'
    | 'room'
    | 'images'
    | 'mirror'
    | 'hugging face'
    | 'ports'
    | 'helm'
    | 'access';
  /** A warning may be what is wanted, and does not fail the command. */
  readonly result: 'ok' | 'warning' | 'failed' | 'skipped';
  /** One phrase. */
  readonly detail: string;
  /** What to do; '' if nothing. */
  readonly next: string;
}

/** Names that a finding lists. */
const namedMax = 8;

/** Up to eight names, and the number of the others. */
export function listed(names: readonly string[]): string {
  const more = names.length - namedMax;
  return names.slice(0, namedMax).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
