// Distinguishes equal tokens with different KV in the router's indexes: adapters, salts, images.
import type { EventExtraKey } from '../protocol/index.ts';
import { type ChainHash, chainRoot, hashTokenBlock } from './chain-hash.ts';

/** The fields of a request that separate its KV from that of equal tokens. */
export interface ChainScope {
  /** Name of the LoRA adapter; undefined for the base model. */
  readonly loraName?: string | undefined;
  readonly cacheSalt?: string | undefined;
}

/**
 * The seed for naming a request's blocks; blocks in engines' events get the same seed from `adapterRoot` and
 * `withExtraKeys`.
 */
export function scopeRoot({ loraName, cacheSalt }: ChainScope): ChainHash {
  const root = adapterRoot(loraName);
  return cacheSalt === undefined ? root : withExtraKeys(root, [cacheSalt]);
}

/** Parent of an adapter's first blocks. */
export function adapterRoot(loraName: string | undefined): ChainHash {
  return loraName === undefined ? chainRoot : hashText(chainRoot, `lora ${loraName}`);
}

/**
 * The parent for a block with extra keys other than the adapter. It prevents a prompt of text alone from
 * matching blocks of an image with the same placeholder tokens.
 */
export function withExtraKeys(parent: ChainHash, keys: readonly EventExtraKey[]): ChainHash {
  if (keys.length === 0) return parent;
  const text = JSON.stringify(keys, (_, value) =>
    value instanceof Uint8Array ? `bytes ${value.join()}` : value,
  );
  return hashText(parent, `keys ${text}`);
}

function hashText(parent: ChainHash, text: string): ChainHash {
  const bytes = new TextEncoder().encode(text);
  return hashTokenBlock(parent, bytes, 0, bytes.length);
}
