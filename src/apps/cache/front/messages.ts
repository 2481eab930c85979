// What the front and the process of the store tell each other, over the channel that Node opens to a child.
import type { CacheProtocol } from '../cache-metrics.ts';
import type { KnownSize } from '../key-spaces.ts';

/** Environment variable that is set in the process of a store. */
export const storeVariable = 'SPILLWAY_CACHE_STORE';

/** The descriptor of `ClientMarks` in the process of a store; Node's channel is the one before. */
export const marksDescriptor = 4;

/** What the front sends. */
export type FrontMessage =
  | {
      /** A client; its connection comes with the message. */
      readonly kind: 'client';
      readonly id: number;
      readonly protocol: CacheProtocol;
      /** Of `Conversation.session`. */
      readonly session?: unknown;
    }
  /** Sizes of values that the store before had learned. */
  | { readonly kind: 'sizes'; readonly sizes: readonly KnownSize[] }
  /** Give all clients back, then end. */
  | { readonly kind: 'release' };

/** What the store sends. */
export type StoreMessage =
  /** It serves clients. @param urls Of ports of its own. */
  | { readonly kind: 'ready'; readonly urls: readonly string[] }
  /** A client has left, or was disconnected. */
  | { readonly kind: 'closed'; readonly id: number }
  /** A client without a request in progress is the front's again. */
  | { readonly kind: 'released'; readonly id: number; readonly session?: unknown }
  | { readonly kind: 'sizes'; readonly sizes: readonly KnownSize[] };
