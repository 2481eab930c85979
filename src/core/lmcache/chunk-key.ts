// The key of a chunk among LMCache's servers.

/** A chunk, under LMCache's own names. */
export interface ChunkKey {
  readonly chunk_hash_hex: string;
  readonly model_name: string;
  readonly kv_rank: number;
  readonly object_group_id: number;
  readonly cache_salt: string;
}

/** The same text for the same key. */
export function nameOfChunk(key: ChunkKey): string {
  const { model_name, kv_rank, object_group_id, chunk_hash_hex, cache_salt } = key;
  return `${model_name}@${kv_rank}@${object_group_id}@${chunk_hash_hex}@${cache_salt}`;
}

/**
 * The rank as LMCache packs it for lookups: world size, rank, and both again for the node.
 *
 * @param worldSize GPUs that share a model.
 */
export function kvRank(worldSize: number, rank: number): number {
  return worldSize * 2 ** 24 + rank * 2 ** 16 + worldSize * 2 ** 8 + rank;
}
