// Compares a page of metrics with that of a real vLLM in the same state: its counts, not only its shape.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** A recorded page of test/conformance/vllm-wire/metrics. */
export function recordedMetrics(state: string): string {
  const file = new URL(`../conformance/vllm-wire/metrics/${state}.txt.gz`, import.meta.url);
  return gunzipSync(readFileSync(file)).toString();
}

export const sameCounts = { missing: [], extra: [] };

/**
 * Returns the differences of two pages after the same requests: all series, with the values of counters, and
 * with the number of measurements of times.
 *
 * @param free Families whose values depend on the moment of the page or on the overlap of requests.
 * @param only If given, the families whose values are compared; the others only need to exist.
 */
export function differingCounts(
  own: string,
  real: string,
  free: readonly string[] = [],
  only: readonly string[] = [''],
): { readonly missing: readonly string[]; readonly extra: readonly string[] } {
  // A page that was recorded for its engine series is compared in these only.
  const isWhole = real.includes('# TYPE http_requests_total');
  const [said, expected] = [own, real].map((page) =>
    countedMetrics(page, free, only).filter((line) => isWhole || line.includes('vllm:')),
  ) as [string[], string[]];
  return {
    missing: expected.filter((line) => !said.includes(line)),
    extra: said.filter((line) => !expected.includes(line)),
  };
}

function countedMetrics(page: string, free: readonly string[], only: readonly string[]): string[] {
  const lines: string[] = [];
  for (const line of page.split('\n')) {
    if (line.startsWith('# TYPE ') && isCompared(line.slice(7))) lines.push(line);
    const [, name = '', labels = '', value = ''] = /^(\w[^\s{]+)(\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name === '' || !isCompared(name)) continue;
    const among = (families: readonly string[]) =>
      families.some((family) => name.replace(/^vllm:/, '').startsWith(family));
    const isCounted = !isTime(name) && among(only) && !among(free);
    const shown = name === 'vllm:cache_config_info' ? labels.replace(/="[^"]*"/g, '') : labels;
    lines.push(isCounted ? `${name}${shown} ${value}` : `${name}${shown}`);
  }
  return lines.toSorted();
}

/** Omits metrics of Python itself, and the creation times of series. */
function isCompared(name: string): boolean {
  return /^(vllm:|http_|process_)/.test(name) && !/_created\b/.test(name);
}

function isTime(name: string): boolean {
  return (
    /_seconds_(bucket|sum)$|_bytes_sum$|^process_/.test(name) ||
    /^vllm:(estimated_|lora_requests_info|cache_config_info)/.test(name)
  );
}
