// Lists in bodies: their length is checked before their elements, and the first wrong element ends the check. A body of a million
// wrong elements is refused as quickly as one with one.
import { z } from 'zod';

/** Largest token id that LMCache names chunks with. */
const tokenIdMax = 0xffffffff;

/** @param most Number of elements. */
export function listOf<Schema extends z.ZodType>(element: Schema, most: number) {
  return list(most, (items, context): z.output<Schema>[] => {
    const read: z.output<Schema>[] = [];
    for (const [at, item] of items.entries()) {
      const { success, data, error } = element.safeParse(item);
      if (!success) {
        const [issue] = error.issues;
        context.addIssue({
          ...{ code: 'custom', message: issue?.message ?? 'wrong' },
          path: [at, ...(issue?.path ?? [])],
        });
        return z.NEVER;
      }
      read.push(data);
    }
    return read;
  });
}

/** @param most Number of tokens. */
export function tokenIds(most: number) {
  return list(most, (items, context): number[] => {
    const wrong = items.findIndex((id) => !isTokenId(id));
    if (wrong < 0) return items as number[];
    const message = `expected whole numbers from 0 to ${tokenIdMax}`;
    context.addIssue({ code: 'custom', message, path: [wrong] });
    return z.NEVER;
  });
}

function list<Item>(
  most: number,
  read: (items: readonly unknown[], context: z.RefinementCtx) => Item[],
) {
  return z.unknown().transform((value, context): Item[] => {
    if (Array.isArray(value) && value.length <= most) return read(value, context);
    const message = Array.isArray(value)
      ? `expected at most ${most} elements, not ${value.length}`
      : 'expected a list';
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

function isTokenId(id: unknown): boolean {
  return typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= tokenIdMax;
}
