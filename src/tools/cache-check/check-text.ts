// The result of a check of a cache server, for people.
import { counted } from '../../core/base/index.ts';
import type { CacheCheckResult } from './check-cache.ts';

/** @param url As the user gave it. */
export function cacheCheckText(url: string, result: CacheCheckResult): string {
  const { values, valueBytes, clients, missing, wrong, invented } = result;
  const rate = (seconds: number) =>
    `${((values * valueBytes) / seconds / 1e6).toFixed(0)} MB/s`.padStart(12);
  const perValue = (seconds: number) => `${((1000 * clients * seconds) / values).toFixed(2)} ms`;
  const row = (name: string, seconds: number, hasBytes: boolean) =>
    `${name.padEnd(9)}${perValue(seconds).padStart(12)}${hasBytes ? rate(seconds) : ''}`;
  const problems = [
    ...(wrong > 0 ? [`${counted(wrong, 'value')} had a wrong byte or size`] : []),
    ...(missing > 0
      ? [
          `${missing} of ${2 * values} lookups and loads missed a value that was stored; the server may have less memory than ${((values * valueBytes) / 2 ** 20).toFixed(0)} MiB`,
        ]
      : []),
    ...(invented > 0 ? [`${counted(invented, 'key')} had a value that was never stored`] : []),
  ];
  const verdict =
    problems.length === 0
      ? `ok: all ${counted(values, 'value')} came back byte for byte`
      : `failed: ${problems.join('; ')}`;
  return [
    `${url}: ${counted(values, 'value')} of ${valueBytes} bytes, ${counted(clients, 'client')}`,
    row('store', result.storeSeconds, true),
    row('look up', result.lookupSeconds, false),
    row('load', result.loadSeconds, true),
    `${verdict}.`,
    '',
  ].join('\n');
}
