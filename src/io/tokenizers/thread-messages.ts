// Messages between the router's thread and the tokenizing thread.
import type { NotTokenized, PromptKind } from '../../core/prompts/index.ts';
import type { TokenizerConfigJson } from '../../core/tokenizer/index.ts';
import type { TokenizerSearch } from './find-tokenizer.ts';

/** A tokenizer that both threads use. */
export interface SharedDefinition {
  /** The result of `encodeTables`, in shared memory. */
  readonly tables: Uint8Array;
  readonly config: TokenizerConfigJson | undefined;
  readonly chatTemplate: string | undefined;
}

export type ThreadRequest =
  | { readonly kind: 'find'; readonly id: number; readonly search: TokenizerSearch }
  | { readonly kind: 'use'; readonly name: string; readonly definition: SharedDefinition }
  | { readonly kind: 'drop'; readonly name: string }
  | {
      readonly kind: 'tokenize';
      readonly id: number;
      readonly name: string;
      readonly api: PromptKind;
      /** The JSON body. */
      readonly body: Uint8Array;
    };

export type ThreadResponse =
  | { readonly id: number; readonly definition: SharedDefinition; readonly origin: string }
  | { readonly id: number; readonly problem: string }
  | { readonly id: number; readonly tokens: Uint32Array; readonly cacheSalt: string | undefined }
  | { readonly id: number; readonly not: NotTokenized };
