// What a fault run throws when an invariant does not hold.

/** An invariant is violated. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/** @throws {InvariantViolation} Unless it holds. */
export function must(holds: boolean, message: string): void {
  if (!holds) throw new InvariantViolation(message);
}
