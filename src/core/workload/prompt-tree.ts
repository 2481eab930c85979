// Prompts as paths in a tree of texts: what two prompts share from the start is one path, and so
// the same block ids; where they part, all ids differ.

/** A text from the start of a prompt up to some point. */
export interface PromptNode {
  readonly parent: PromptNode | undefined;
  /** From the start of the prompt. */
  readonly tokens: number;
  /** Ids of the blocks that are completed within the last part. */
  readonly blocks: readonly number[];
}

interface Node extends PromptNode {
  readonly children: Map<string, Node>;
}

/**
 * Hands out block ids. A part with a `content` is remembered at its place, so memory grows with the
 * number of distinct shared texts; a part without is nobody else's, and is forgotten with its node.
 *
 * @example
 * const tree = new PromptTree(16);
 * const system = tree.extend(tree.root, 1000, 'system 3');
 * const prompt = tree.extend(system, 40);
 * tree.blockIds(prompt).length; // 65: ceil(1040 / 16)
 */
export class PromptTree {
  readonly blockTokens: number;
  readonly root: PromptNode = {
    parent: undefined,
    tokens: 0,
    blocks: [],
    children: new Map(),
  } as Node;
  #nextId = 0;

  constructor(blockTokens: number) {
    this.blockTokens = blockTokens;
  }

  /** Ids handed out so far are below this. */
  get idsEnd(): number {
    return this.#nextId;
  }

  /** @param content Names the text; left out, the text is nobody else's. */
  extend(node: PromptNode, tokens: number, content?: string): PromptNode {
    const key = content === undefined ? undefined : `${tokens} ${content}`;
    const { children } = node as Node;
    const known = key === undefined ? undefined : children.get(key);
    if (known) return known;
    const end = node.tokens + tokens;
    const first = Math.floor(node.tokens / this.blockTokens);
    const count = Math.floor(end / this.blockTokens) - first;
    const blocks = Array.from({ length: count }, () => this.#nextId++);
    const child: Node = { parent: node, tokens: end, blocks, children: new Map() };
    if (key !== undefined) children.set(key, child);
    return child;
  }

  /** One id for each block of the text; the last, if it is not full, is nobody else's. */
  blockIds(node: PromptNode): number[] {
    const parts: (readonly number[])[] = [];
    for (let at: PromptNode | undefined = node; at; at = at.parent) parts.push(at.blocks);
    const ids = parts.reverse().flat();
    if (node.tokens % this.blockTokens > 0) ids.push(this.#nextId++);
    return ids;
  }
}
