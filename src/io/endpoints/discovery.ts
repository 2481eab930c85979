// Declares a source of endpoints for the command line: its kind, its flags, and how to open it.
import type { EndpointSource, SourceLog } from './endpoint-source.ts';

export interface DiscoveryFlag {
  /** With its argument: `--engines-dns <name>`. */
  readonly flag: string;
  readonly help: string;
  /** @default undefined: the source has to be given one */
  readonly standard?: string | undefined;
}

export interface Discovery {
  /** Value of `--service-discovery`. */
  readonly kind: string;
  /** At least one. If none has a standard, the first says where the engines are. */
  readonly flags: readonly [DiscoveryFlag, ...DiscoveryFlag[]];
  /**
   * @param given The argument of each flag, in the order of `flags`; its standard if the flag is not given.
   * @throws {InputError} If an argument is invalid.
   */
  open(given: readonly string[], log: SourceLog): EndpointSource;
}
