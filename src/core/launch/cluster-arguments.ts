// Arguments of a router that find engines in a cluster: "spillway up" and hosts list theirs, and leave these out.

/** One flag, with its value if that is a word of its own. */
export interface ClusterArgument {
  /** Position of the flag among the words. */
  readonly index: number;
  readonly flag: string;
  /** Number of words: 1 or 2. */
  readonly words: number;
}

/** Upstream's flags, each with a value, in the spellings that argparse accepts. */
const clusterFlags = /^--(service[-_]discovery|k8s[-_][a-z0-9_-]+)(=.*)?$/s;

/**
 * Returns the arguments that find engines in a cluster.
 *
 * @example
 * clusterArguments(['--k8s-port', '8000']); // [{ index: 0, flag: '--k8s-port', words: 2 }]
 */
export function clusterArguments(extraArgs: readonly string[]): readonly ClusterArgument[] {
  const found: ClusterArgument[] = [];
  for (const [index, word] of extraArgs.entries()) {
    const [, name, value] = clusterFlags.exec(word) ?? [];
    if (name === undefined) continue;
    const hasWord = value === undefined && extraArgs[index + 1]?.startsWith('--') === false;
    found.push({ index, flag: `--${name}`, words: hasWord ? 2 : 1 });
  }
  return found;
}

/** The other arguments. */
export function withoutClusterArguments(extraArgs: readonly string[]): string[] {
  const left = new Set(
    clusterArguments(extraArgs).flatMap(({ index, words }) => [index, index + words - 1]),
  );
  return extraArgs.filter((_, index) => !left.has(index));
}
