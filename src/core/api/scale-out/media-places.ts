// The non-text items of a prompt: hashes and positions, as vLLM's render route writes them.
import {
  dictionary,
  integer,
  integerAbove,
  list,
  notNull,
  object,
  type Parser,
  string,
} from '../openai/schema.ts';

/** The facts about the positions that the checks of a request need. */
export interface MediaPlaces {
  /** Index after the last placeholder; 0 if there is none. */
  readonly end: number;
  /** Whether an item has metadata but no data. */
  readonly hasMetadataAlone: boolean;
}

const range = object({ offset: notNull(integer(0)), length: notNull(integerAbove(0)) }, [
  'offset',
  'length',
]);

export const placeholdersField = dictionary(notNull(list(notNull(range))));

const optionalTexts = dictionary(notNull(list(orNull(string))));

const fields = object(
  {
    mm_hashes: notNull(dictionary(notNull(list(notNull(string))))),
    mm_placeholders: notNull(placeholdersField),
    kwargs_data: optionalTexts,
    mm_metadata: optionalTexts,
  },
  ['mm_hashes', 'mm_placeholders'],
);

type Fields = NonNullable<ReturnType<typeof fields>>;

/** @see MultiModalFeatures in vllm/entrypoints/scale_out/token_in_token_out/protocol.py */
export const mediaPlacesField: Parser<MediaPlaces> = (value, loc, issues) => {
  const before = issues.length;
  const read = fields(value, loc, issues);
  if (read === undefined || issues.length > before) return undefined;
  const text = fault(read);
  if (text === undefined) {
    const ends = rangesOf(read).map(([, end]) => end);
    return { end: Math.max(0, ...ends), hasMetadataAlone: hasMetadataAlone(read) };
  }
  const ctx = `{'error': ValueError('${text}')}`;
  issues.push({ type: 'value_error', loc, msg: `Value error, ${text}`, input: value, ctx });
  return undefined;
};

function fault(read: Fields): string | undefined {
  const hashes = read.mm_hashes ?? {};
  const names = Object.keys(hashes);
  const isOfOthers = (given: object | null | undefined) =>
    given != null && Object.keys(given).toSorted().join() !== names.toSorted().join();
  if (isOfOthers(read.mm_placeholders)) {
    return 'mm_hashes and mm_placeholders must use the same modalities';
  }
  for (const field of ['kwargs_data', 'mm_metadata'] as const) {
    if (isOfOthers(read[field])) return `${field} must use the same modalities as mm_hashes`;
  }
  for (const name of names) {
    const count = hashes[name]?.length;
    if (read.mm_placeholders?.[name]?.length !== count) {
      return `${name} mm_hashes and mm_placeholders must have the same length`;
    }
    if (read.kwargs_data && read.kwargs_data[name]?.length !== count) {
      return `${name} kwargs_data and mm_hashes must have the same length`;
    }
  }
  const ranges = rangesOf(read).toSorted(([a], [b]) => a - b);
  const overlaps = ranges.some(([start], i) => i > 0 && start < (ranges[i - 1]?.[1] ?? 0));
  return overlaps ? 'mm_placeholders must be globally non-overlapping and sorted' : undefined;
}

function rangesOf({ mm_placeholders: places }: Fields): (readonly [number, number])[] {
  return Object.values(places ?? {})
    .flat()
    .map((one) => [one.offset ?? 0, (one.offset ?? 0) + (one.length ?? 0)] as const);
}

function hasMetadataAlone({ mm_metadata: metadata, kwargs_data: data }: Fields): boolean {
  return Object.entries(metadata ?? {}).some(([name, items]) =>
    items.some((item, i) => item != null && data?.[name]?.[i] == null),
  );
}

/** An item that may be null. */
function orNull<T>(parser: Parser<T>): Parser<T | null> {
  return (value, loc, issues) => (value === null ? null : parser(value, loc, issues));
}
