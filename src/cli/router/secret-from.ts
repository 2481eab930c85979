/** Reads a secret from the environment, because every user of the machine can read the flags of a process. */
export function secretFrom(variable: string): string | undefined {
  // A key from a file often ends with a line end.
  return process.env[variable]?.trim() || undefined;
}
