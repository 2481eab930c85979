// How a command hands over its results. What fails of them, or a signal meanwhile, loses none of the others.
import { stderr, stdout } from 'node:process';
import { plainText } from '../core/base/index.ts';
import { writeOutput } from '../io/files/index.ts';
import { endOnHurry, signalStatus, watchStopSignals } from '../io/signals/index.ts';
import { withoutReader } from './standard-output.ts';

/** The results of a command. */
export interface Delivery {
  /** Returns what goes to standard output. */
  readonly print: () => string | Promise<string>;
  /** Each writes a file or a folder, and may return lines for standard error. */
  readonly write: readonly (() => Promise<string | undefined> | Promise<void>)[];
  /** Lines for standard error in any case. */
  readonly note?: string | undefined;
}

/**
 * Delivers a result as JSON to a file or standard output, as `--json [file]` says, else as text.
 *
 * @param json The value of the flag.
 */
export function deliverJson(
  json: string | true | undefined,
  text: string,
  result: object,
): Promise<void> {
  const line = () => `${JSON.stringify(result)}\n`;
  return deliver({
    print: () => (json === true ? line() : text),
    write: [
      async () => {
        if (typeof json === 'string') await writeOutput(json, 'result', line());
      },
    ],
  });
}

/**
 * Prints results and writes their files. A first signal waits until they are written, a second ends the program.
 *
 * @throws Of the first file that could not be written, after all others are.
 */
export function deliver({ print, write, note }: Delivery): Promise<void> {
  return withoutReader(async () => {
    const signals = watchStopSignals();
    endOnHurry(signals);
    try {
      stdout.write(plainText(await print()));
      if (note !== undefined) stderr.write(plainText(note));
      const written = await Promise.allSettled(write.map((one) => one()));
      for (const one of written) {
        if (one.status === 'fulfilled' && one.value !== undefined) stderr.write(one.value);
      }
      const failed = written.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    } finally {
      if (signals.stop.aborted) process.exitCode = signalStatus(signals);
      signals.release();
    }
  });
}
