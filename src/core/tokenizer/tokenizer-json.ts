// The parts of Hugging Face's tokenizer.json and tokenizer_config.json that are used here.

export interface TokenizerJson {
  readonly added_tokens?: readonly AddedTokenJson[];
  readonly normalizer?: { readonly type: string } | null;
  readonly pre_tokenizer?: PreTokenizerJson | null;
  readonly post_processor?: PostProcessorJson | null;
  readonly model: {
    readonly type?: string;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly ignore_merges?: boolean;
  };
}

export interface AddedTokenJson {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly single_word?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
}

export interface PreTokenizerJson {
  readonly type: string;
  readonly pretokenizers?: readonly PreTokenizerJson[];
  readonly pattern?: { readonly Regex?: string; readonly String?: string };
  readonly behavior?: string;
  readonly invert?: boolean;
  readonly add_prefix_space?: boolean;
  readonly use_regex?: boolean;
}

export interface PostProcessorJson {
  readonly type: string;
  readonly processors?: readonly PostProcessorJson[];
  readonly single?: readonly {
    readonly SpecialToken?: { readonly id: string };
    readonly Sequence?: unknown;
  }[];
  readonly special_tokens?: Readonly<Record<string, { readonly ids: readonly number[] }>>;
}

export interface TokenizerConfigJson {
  readonly chat_template?: string | readonly { readonly name: string; readonly template: string }[];
  readonly bos_token?: string | { readonly content: string } | null;
  readonly eos_token?: string | { readonly content: string } | null;
}
