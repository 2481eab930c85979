// Which value goes first when a tier needs room: the orders, by the names that users know, behind one contract.
import type { EvictionOrder } from './eviction-order.ts';
import { LruOrder } from './lru-order.ts';
import { PrefixOrder } from './prefix-order.ts';
import { S3FifoOrder } from './s3-fifo-order.ts';

export { type ChainStep, ChainWatch } from './chain-watch.ts';
export type { EvictionOrder } from './eviction-order.ts';

export const evictionNames = ['lru', 's3-fifo', 'prefix'] as const;
export type EvictionName = (typeof evictionNames)[number];

export function createEvictionOrder<Key = string>(name: EvictionName): EvictionOrder<Key> {
  switch (name) {
    case 'lru':
      return new LruOrder();
    case 's3-fifo':
      return new S3FifoOrder();
    case 'prefix':
      return new PrefixOrder();
  }
}
