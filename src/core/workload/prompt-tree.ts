// Prompts as paths in a tree of texts: a common prefix of two prompts is a common path with the same block
// ids; after it all ids differ.

/** The text of a prompt from its start up to some point. */
export interface PromptNode {
  readonly parent: PromptNode | undefined;
  /** Number of tokens from the start of the prompt. */
  readonly tokens: number;
  /** Ids of the blocks that are completed within the last part. */
  readonly blocks: readonly number[];
}

interface Node extends PromptNode {
  readonly children: Map<string, Node>;
}

/**
 * Assigns block ids. A part with a `content` is kept in the tree, so memory grows with the number of distinct
 * shared texts; a part without one is unique, and is dropped with its node.
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

  /** All ids assigned so far are below this one. */
  get idsEnd(): number {
    return this.#nextId;
  }

  /** @param content Identifies the text; without it, the text is unique. */
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

  /** Returns one id per block of the text; a last block that is not full has a unique id. */
  blockIds(node: PromptNode): number[] {
    const parts: (readonly number[])[] = [];
    for (let at: PromptNode | undefined = node; at; at = at.parent) parts.push(at.blocks);
    const ids = parts.reverse().flat();
    if (node.tokens % this.blockTokens > 0) ids.push(this.#nextId++);
    return ids;
  }
}
