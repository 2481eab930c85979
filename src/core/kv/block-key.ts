// The identity of a block’s content.

/** Chained key of a full block: equal keys mean equal tokens from the start of the sequence. */
export type BlockKey = string | number | bigint;
