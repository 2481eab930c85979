// The root of the names of a prompt's KV blocks.
import { chainRoot, hashTokenBlock } from '../../../core/kv/index.ts';
import type { Adapter } from '../adapters/adapters.ts';

/** Returns the parent of first blocks: requests with different adapters or salts share no blocks. */
export function prefixRoot(salt: string | undefined, adapter: Adapter | undefined): number {
  let key = chainRoot;
  const texts = [adapter && `lora ${adapter.name} ${adapter.path}`, salt];
  for (const text of texts) {
    if (text === undefined) continue;
    const bytes = new TextEncoder().encode(text);
    key = hashTokenBlock(key, bytes, 0, bytes.length);
  }
  return key;
}
