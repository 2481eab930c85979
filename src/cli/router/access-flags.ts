// Who may use the router: keys, and pages of other origins.
import { type Command, InvalidArgumentError } from 'commander';
import { parseCacheSaltSource, type RouterOptions } from '../../apps/router/index.ts';
import { commaList, InputError } from '../../core/base/index.ts';
import { secretFrom } from './secret-from.ts';

export interface AccessFlags {
  readonly allowedOrigins?: readonly string[];
  readonly allowedMethods?: readonly string[];
  readonly allowedHeaders?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly allowedHosts?: readonly string[];
  readonly apiKey?: string;
  readonly apiKeyFile?: string;
  readonly forwardAuthorization?: boolean;
  readonly cacheSaltFrom?: RouterOptions['cacheSaltFrom'];
}

export function addAccessFlags(command: Command): Command {
  return command
    .optionsGroup('Access:')
    .option(
      '--api-key <key>',
      'bearer token that clients must send (default: SPILLWAY_ROUTER_API_KEY, which process listings do not show)',
    )
    .option(
      '--api-key-file <file>',
      'file with such tokens, one a line; it is read again when it changes',
    )
    .option(
      '--forward-authorization',
      'forward the clients’ Authorization header to engines (default: only if neither the router nor the engines have a key)',
    )
    .option('--no-forward-authorization', 'do not forward it')
    .option(
      '--cache-salt-from <source>',
      'give each tenant a KV cache of its own in engines, told by its API key (key) or by a header that a gateway sets (header:NAME; header alone is x-tenant-id) (default: one for all)',
      saltSource,
    )
    .option(
      '--allowed-origins <json>',
      'origins whose pages may use the router, e.g. ["*"] (default: none)',
      jsonList,
    )
    .option(
      '--allowed-methods <json>',
      'methods that these pages may use (default: ["*"])',
      jsonList,
    )
    .option(
      '--allowed-headers <json>',
      'headers that these pages may send (default: ["*"])',
      jsonList,
    )
    .option('--allow-credentials', 'let these pages send credentials')
    .option(
      '--allowed-hosts <names>',
      'host names under which views are served, comma-separated (default: any; with a loopback --host, those of this machine)',
      commaList,
    );
}

export function accessFrom(
  flags: AccessFlags,
): Pick<
  RouterOptions,
  | 'apiKey'
  | 'apiKeyFile'
  | 'engineApiKey'
  | 'forwardAuthorization'
  | 'cacheSaltFrom'
  | 'cors'
  | 'allowedHosts'
> {
  const { allowedOrigins, allowedMethods, allowedHeaders, allowCredentials, allowedHosts } = flags;
  return {
    apiKey: flags.apiKey ?? (flags.apiKeyFile ? undefined : secretFrom('SPILLWAY_ROUTER_API_KEY')),
    apiKeyFile: flags.apiKeyFile,
    engineApiKey: secretFrom('VLLM_API_KEY'),
    forwardAuthorization: flags.forwardAuthorization,
    cacheSaltFrom: flags.cacheSaltFrom,
    cors: { allowedOrigins, allowedMethods, allowedHeaders, allowCredentials },
    allowedHosts,
  };
}

/** @throws {InvalidArgumentError} Which names the flag. */
function saltSource(text: string): RouterOptions['cacheSaltFrom'] {
  try {
    return parseCacheSaltSource(text);
  } catch (error) {
    if (error instanceof InputError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** What is odd about the keys of tenants, as a sentence; undefined in the usual case. */
export function tenantNote({
  apiKey,
  apiKeyFile,
  cacheSaltFrom,
}: ReturnType<typeof accessFrom>): string | undefined {
  if (cacheSaltFrom !== 'key' || apiKeyFile !== undefined) return undefined;
  const which = apiKey === undefined ? 'any key that they choose' : 'the same key';
  return `--cache-salt-from key tells tenants by their API keys, and all clients here have ${which}: give each tenant a key of its own with --api-key-file, or name a header that a gateway sets (--cache-salt-from header:NAME).`;
}

/** A list as vLLM's flags have it, or one text. */
function jsonList(text: string): readonly string[] {
  if (!text.startsWith('[')) return commaList(text);
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  } catch {
    // Reported below.
  }
  throw new InvalidArgumentError('It must be a list of texts in JSON, such as ["*"].');
}
