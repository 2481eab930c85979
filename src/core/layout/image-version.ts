// The release of vLLM in an entry's image, as far as its tag says.
import type { ModelEntry } from '../values/index.ts';

/** A minor release of vLLM. */
export interface VllmRelease {
  readonly major: number;
  readonly minor: number;
  /** The tag as written. */
  readonly tag: string;
}

/**
 * Returns the release that the tag names. Images of others, such as LMCache's, count their own releases.
 *
 * @example imageRelease({ repository: 'vllm/vllm-openai', tag: 'v0.10.2' })?.minor; // 10
 */
export function imageRelease({
  repository = '',
  tag = '',
}: Pick<ModelEntry, 'repository' | 'tag'>): VllmRelease | undefined {
  if (/lmcache/i.test(repository) || !/vllm/i.test(repository)) return undefined;
  const [, major, minor] = /^v?(\d+)\.(\d+)(?:\.|$|[-_+a-z])/i.exec(tag) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return { major: Number(major), minor: Number(minor), tag };
}

/** @param last A minor release such as `0.11`. */
export function isAtMost({ major, minor }: VllmRelease, last: string): boolean {
  const [lastMajor = 0, lastMinor = 0] = last.split('.').map(Number);
  return major < lastMajor || (major === lastMajor && minor <= lastMinor);
}
