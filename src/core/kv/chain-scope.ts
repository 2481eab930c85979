// What keeps equal tokens apart in the router's indexes: adapters, salts, images.
import type { EventExtraKey } from '../protocol/index.ts';
import { type ChainHash, chainRoot, hashTokenBlock } from './chain-hash.ts';

/** What a request says that makes its KV its own. */
export interface ChainScope {
  /** Name of the LoRA adapter; undefined for the base model. */
  readonly loraName?: string | undefined;
  readonly cacheSalt?: string | undefined;
}

/**
 * The seed under which a request's blocks are named; engines' events get the same through
 * `adapterRoot` and `withExtraKeys`.
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
 * The parent to use for a block that has extra keys, adapter not counted. A prompt of text alone
 * then never matches blocks that hold an image behind the same placeholder tokens.
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
