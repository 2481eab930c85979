// What the page and its worker tell each other.
import type { WhatIf, WhatIfResult } from '../../src/core/what-if/index.ts';

export type WhatIfQuestion =
  | { readonly kind: 'describe'; readonly servedModel: string }
  | { readonly kind: 'simulate'; readonly whatIf: WhatIf };

export type WhatIfAnswer =
  | {
      readonly kind: 'described';
      readonly gpus: readonly string[];
      readonly models: readonly string[];
      /** The entry that is most like the served model. */
      readonly model: string;
    }
  | { readonly kind: 'simulated'; readonly result: WhatIfResult }
  | { readonly kind: 'failed'; readonly why: string };
