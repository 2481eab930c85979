// Declares a source of endpoints for the command line: its kind, its flag, and how to open it.
import type { EndpointSource, SourceLog } from './endpoint-source.ts';

export interface Discovery {
  /** Value of `--service-discovery`. */
  readonly kind: string;
  /** The flag that says where the engines are, with its argument: `--engines-dns <name>`. */
  readonly flag: string;
  readonly help: string;
  /**
   * @param argument The argument of the flag.
   * @throws {InputError} If the argument is invalid.
   */
  open(argument: string, log: SourceLog): EndpointSource;
}
