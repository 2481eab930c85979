// Values in parts: what is larger than a part is stored by S3's multipart upload and loaded by ranges, several at once.
import type { TryCall } from './guarded-calls.ts';
import type { Objects } from './s3-objects.ts';
import type { Turns } from './turns.ts';

/** What the parts of a value need. */
export interface PartsOptions {
  readonly objects: Objects;
  readonly name: string;
  /** The bytes of the value, in order. */
  readonly spans: readonly Uint8Array[];
  readonly size: number;
  readonly partBytes: number;
  /** Time for each call. */
  readonly timeoutMs: number;
  readonly make: TryCall;
  /** Shared by all values. */
  readonly turns: Turns;
}

/** A part of a value: where it begins, and how long it is. */
interface Part {
  readonly from: number;
  readonly bytes: number;
}

/**
 * Stores a value as one object.
 *
 * @param isCancelled Whether the value is no longer wanted; what was stored of it is removed then.
 * @param abandoned Called with an upload whose parts could not be removed.
 * @throws If it is not stored. No part stays but those of abandoned uploads.
 */
export async function putInParts(
  options: PartsOptions,
  isCancelled: () => boolean,
  abandoned: (upload: string) => void,
): Promise<void> {
  const { objects, name, spans, size, partBytes, timeoutMs, make, turns } = options;
  const mayRepeat = () => !isCancelled();
  if (size <= partBytes) {
    const put = () => objects.put(name, joined(spans), timeoutMs);
    await turns.run(() => make(put, mayRepeat));
    return;
  }
  const upload = await make(() => objects.beginUpload(name, timeoutMs), mayRepeat);
  try {
    const tags = await inParallel(partsOf(size, partBytes), turns, async (part, index) => {
      if (isCancelled()) throw new Error('The value is no longer wanted.');
      const bytes = joined(slices(spans, part));
      const put = () => objects.putPart(name, upload, index + 1, bytes, timeoutMs);
      return await make(put, mayRepeat);
    });
    if (isCancelled()) throw new Error('The value is no longer wanted.');
    await make(() => objects.completeUpload(name, upload, tags, timeoutMs));
  } catch (error) {
    const abort = () => objects.abortUpload(name, upload, timeoutMs);
    await make(abort).catch(() => abandoned(upload));
    throw error;
  }
}

/**
 * Loads a value into its memory, of which nothing is written to after the end of the call.
 *
 * @returns false if there is no such object.
 * @throws If not all bytes came, or too many.
 */
export async function getInParts(options: PartsOptions): Promise<boolean> {
  const { objects, name, spans, size, partBytes, timeoutMs, make, turns } = options;
  const parts = partsOf(size, partBytes);
  const found = await inParallel(parts, turns, (part) =>
    make(async () => {
      const into = new Landing(slices(spans, part));
      const range = parts.length === 1 ? undefined : { ...part, of: size };
      const isThere = await objects.get(name, (bytes) => into.write(bytes), timeoutMs, range);
      if (isThere && into.missing > 0) {
        throw new Error(`${into.missing} of ${part.bytes} bytes did not come.`);
      }
      return isThere;
    }),
  );
  return found.every((isThere) => isThere);
}

/** Where the bytes of one part go. */
class Landing {
  #spans: readonly Uint8Array[];
  missing: number;

  constructor(spans: readonly Uint8Array[]) {
    this.#spans = spans;
    this.missing = spans.reduce((sum, { length }) => sum + length, 0);
  }

  /** @throws If these are more bytes than belong here. */
  write(bytes: Uint8Array): void {
    if (bytes.length > this.missing) throw new Error('More bytes came than were asked for.');
    this.missing -= bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const [span = new Uint8Array(0), ...others] = this.#spans;
      const part = bytes.subarray(at, at + span.length);
      span.set(part);
      at += part.length;
      this.#spans = part.length === span.length ? others : [span.subarray(part.length), ...others];
    }
  }
}

/** Runs all; after the first failure none is begun. Ends when none is running any more. */
async function inParallel<T>(
  parts: readonly Part[],
  turns: Turns,
  run: (part: Part, index: number) => Promise<T>,
): Promise<T[]> {
  let failure: unknown;
  const results = await Promise.allSettled(
    parts.map((part, index) =>
      turns.run(async () => {
        if (failure !== undefined) throw failure;
        try {
          return await run(part, index);
        } catch (error) {
          failure ??= error;
          throw error;
        }
      }),
    ),
  );
  if (failure !== undefined) throw failure;
  return results.map((result) => (result as PromiseFulfilledResult<T>).value);
}

/** An empty value has one part, too. */
function partsOf(size: number, partBytes: number): Part[] {
  return Array.from({ length: Math.max(1, Math.ceil(size / partBytes)) }, (_, i) => ({
    from: i * partBytes,
    bytes: Math.min(partBytes, size - i * partBytes),
  }));
}

function slices(spans: readonly Uint8Array[], { from, bytes }: Part): Uint8Array[] {
  let start = 0;
  return spans.flatMap((span) => {
    const part = span.subarray(Math.max(0, from - start), Math.max(0, from + bytes - start));
    start += span.length;
    return part.length === 0 ? [] : [part];
  });
}

/** One span needs no copy. */
function joined(spans: readonly Uint8Array[]): Uint8Array {
  const [first] = spans;
  return spans.length === 1 && first !== undefined ? first : Buffer.concat(spans);
}
