// The salt of each tenant: engines share no KV cache between requests whose `cache_salt` differs.
import { createHmac } from 'node:crypto';
import { InputError } from '../../../core/base/index.ts';
import { type RequestFields, withMembers } from '../../../core/protocol/index.ts';
import type { RequestHead } from '../../../io/http/index.ts';
import { keyOf } from '../routes/api-key.ts';

/** What tells tenants apart: their API keys, or a header that a gateway in front of the router sets. */
export type CacheSaltSource = 'key' | { readonly header: string };

/** The header that `header` stands for. */
const tenantHeader = 'x-tenant-id';

/**
 * @param text `key`, `header`, or `header:NAME`.
 * @throws {InputError} If it is something else.
 */
export function parseCacheSaltSource(text: string): CacheSaltSource {
  if (text === 'key') return 'key';
  const [, header] = /^header(?::([!#$%&'*+.^_`|~\w-]+))?$/.exec(text) ?? [undefined, null];
  if (header !== null) return { header: (header ?? tenantHeader).toLowerCase() };
  throw new InputError(`It must be key, header or header:NAME, not ${text}.`);
}

/** A body with the salt of its tenant, and the salt as JSON. */
export interface SaltedBody {
  readonly body: Buffer;
  readonly salt: Buffer;
  /** Whether the body had no salt of its own: what was before the salt is where it was. */
  readonly isAppended: boolean;
}

/** Of vLLM's `cache_salt`, which has 128 characters at most: 256 bits in base64url are 43. */
export class CacheSalts {
  readonly #source: CacheSaltSource;

  constructor(source: CacheSaltSource) {
    this.#source = source;
  }

  /**
   * Gives a request the salt of its tenant. A salt of the client's own divides its tenant's cache further, and never reaches that of
   * another tenant: the salt is keyed with what tells the tenant, and nobody without it can make the same one.
   *
   * @param body A JSON object with these fields.
   */
  salted(
    head: RequestHead,
    body: Buffer,
    {
      cacheSaltStart: start,
      cacheSaltEnd: end,
    }: Pick<RequestFields, 'cacheSaltStart' | 'cacheSaltEnd'>,
  ): SaltedBody {
    const own = start < 0 ? '' : body.toString('utf8', start, end);
    const hash = createHmac('sha256', this.#tenantOf(head))
      .update(own === 'null' ? '' : own)
      .digest('base64url');
    const salt = Buffer.from(`"${hash}"`);
    if (start < 0) return { body: appended(body, salt), salt, isAppended: true };
    const changed = withMembers(body, { cache_salt: salt.toString() });
    return {
      body: Buffer.from(changed.buffer, changed.byteOffset, changed.byteLength),
      ...{ salt, isAppended: false },
    };
  }

  /** Empty for a request that tells none. */
  #tenantOf(head: RequestHead): string {
    if (this.#source === 'key') return keyOf(head) ?? '';
    return head.headers.get(this.#source.header) ?? '';
  }
}

/** The body with the member at its end, where it counts for parsers for which the last one of a name does. */
function appended(body: Buffer, salt: Buffer): Buffer {
  const at = body.lastIndexOf('}');
  return Buffer.concat([body.subarray(0, at), Buffer.from(',"cache_salt":'), salt, closing]);
}

const closing = Buffer.from('}');
