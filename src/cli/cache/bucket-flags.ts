// The flags of `spillway cache` about the bucket below its memory.
import type { CacheBucket } from '../../apps/cache/index.ts';
import { InputError, withoutCredentials } from '../../core/base/index.ts';
import { sentinelRefusal } from '../../core/lm/index.ts';

export interface BucketFlags {
  readonly s3?: string;
  readonly s3Endpoint?: string;
  readonly s3Region?: string;
  readonly s3PartSize?: number;
}

/**
 * Returns the bucket that the flags name; undefined for none.
 *
 * @throws {InputError} If they name none that can be used. The message has no credentials.
 */
export function bucketOf({
  s3,
  s3Endpoint: endpoint,
  s3Region: region,
  s3PartSize: partBytes,
}: BucketFlags): CacheBucket | undefined {
  if (s3 === undefined) {
    if ((endpoint ?? region ?? partBytes) === undefined) return undefined;
    throw new InputError('--s3-endpoint, --s3-region and --s3-part-size need --s3 with a bucket.');
  }
  const sentinel = sentinelRefusal(s3, '--s3') ?? sentinelRefusal(endpoint ?? '', '--s3-endpoint');
  if (sentinel !== undefined) throw sentinel;
  const [, bucket, prefix = ''] =
    /^s3:\/\/([a-z\d][a-z\d.-]{1,61}[a-z\d])(?:\/(.*))?$/.exec(s3) ?? [];
  if (bucket === undefined) {
    throw new InputError(
      `--s3 is ${shown(s3)}; it must look like s3://bucket or s3://bucket/prefix. ${keysElsewhere}`,
    );
  }
  if (endpoint !== undefined && !/^https?:\/\/[^/?#@\s]+\/?$/.test(endpoint)) {
    throw new InputError(
      `--s3-endpoint is ${shown(endpoint)}; it must look like http://host:9000, without credentials. ${keysElsewhere}`,
    );
  }
  const folder = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
  return { bucket, prefix: folder, endpoint, region, partBytes };
}

const keysElsewhere =
  'Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, as for the AWS CLI.';

/** A URL without its user and password, and without its query, where signed URLs have their keys. */
function shown(text: string): string {
  // A password with a slash ends where a path could.
  const plain = withoutCredentials(text)
    .replace(/[?#].*$/s, '')
    .replace(/^([a-z\d]*:\/\/)?.*@/is, '$1');
  return plain === text ? `"${text}"` : `"${plain}" with credentials or a query`;
}
