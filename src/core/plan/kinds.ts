// The kinds of prefix reuse, of stacks and of offload that a plan tells apart.

/** Ways in which prompts share prefixes. */
export const prefixReuseKinds = ['none', 'system-prompt', 'rag', 'multi-turn', 'agents'] as const;
export type PrefixReuse = (typeof prefixReuseKinds)[number];
export const stackKinds = ['production-stack', 'own-stack', 'single-engine'] as const;
export type StackKind = (typeof stackKinds)[number];
export const offloadKinds = ['none', 'native', 'lmcache'] as const;
export type OffloadKind = (typeof offloadKinds)[number];
