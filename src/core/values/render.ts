// Writes values as YAML that Helm reads the same way, with the comments of the original files.
import { Document, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import type { Commented, Tree } from './tree.ts';
import { helmYaml } from './yaml-dialect.ts';

/** Returns values as YAML text, with a line break at the end. */
export function renderValues(tree: Tree): string {
  const document = new Document(undefined, {
    ...helmYaml,
    // Quotes texts that YAML 1.1 parsers would read as another type, too.
    compat: 'yaml-1.1',
  });
  if (tree.above !== undefined) document.commentBefore = tree.above;
  document.contents = toNode({ ...tree, above: undefined }) as typeof document.contents;
  return document.toString({ lineWidth: 0 });
}

function toNode(tree: Tree): Scalar | YAMLMap | YAMLSeq {
  const node = bareNode(tree);
  comment(node, tree);
  return node;
}

function bareNode(tree: Tree): Scalar | YAMLMap | YAMLSeq {
  switch (tree.kind) {
    case 'leaf':
      return new Scalar(tree.value);
    case 'list': {
      const list = new YAMLSeq();
      list.items = tree.items.map(toNode);
      list.flow = tree.items.length === 0;
      return list;
    }
    case 'map': {
      const map = new YAMLMap();
      for (const [name, entry] of tree.entries) {
        const key = new Scalar(name);
        comment(key, entry);
        map.items.push(new Pair(key, toNode(entry.value)));
      }
      map.flow = tree.entries.size === 0;
      return map;
    }
  }
}

function comment(node: Scalar | YAMLMap | YAMLSeq, { above, beside }: Commented): void {
  if (above !== undefined) node.commentBefore = above;
  if (beside !== undefined) node.comment = beside;
}
