// `spillway cache check`: stores values in a cache server, looks them up, loads them and compares every byte.
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { type ClientTls, parseCacheUrl } from '../../io/cache-client/index.ts';
import { TlsIdentity } from '../../io/tls/index.ts';
import { cacheCheckText, checkCache } from '../../tools/cache-check/index.ts';
import { positiveInteger } from '../arguments/numbers.ts';
import { byteSize, duration } from '../arguments/quantities.ts';
import { addHelpEnd } from '../help.ts';

interface CheckFlags {
  readonly size: number;
  readonly count: number;
  readonly clients: number;
  readonly timeout: number;
  readonly json?: true;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
}

/** The command `cache check`. */
export function cacheCheckCommand(): Command {
  const command = new Command('check')
    .description(
      'Check a cache server from a client’s side: store values, look them up, load them, and compare every byte.',
    )
    .argument(
      '<url>',
      'lm://HOST:PORT, redis://[USER:PASSWORD@]HOST:PORT or valkey://HOST:PORT; with TLS lms://, rediss:// or valkeys://',
    )
    .option('--size <size>', 'size of a value', byteSize({ min: 1, max: 1 << 30 }), 4 << 20)
    .option('--count <count>', 'values of each client', positiveInteger, 8)
    .option('--clients <count>', 'clients at once', positiveInteger, 2)
    .option('--timeout <duration>', 'time for each request', duration('s'), 10)
    .option(
      '--tls-ca <file>',
      'authorities to trust for the server, instead of those that Node trusts (PEM)',
    )
    .option('--tls-cert <file>', 'certificate to present to the server (PEM)')
    .option('--tls-key <file>', 'key of that certificate (PEM)')
    .option(
      '--tls-server-name <name>',
      'name that the server’s certificate must have (default: the host of the URL)',
    )
    .option('--json', 'print the result as one JSON object')
    .exitOverride()
    .action(check);
  return addHelpEnd(
    command,
    'Exit status: 0 all bytes right, 1 a wrong or missing value, 2 bad input, 4 no response.',
  );
}

async function check(url: string, flags: CheckFlags): Promise<void> {
  const tls = await clientTls(flags);
  const result = await checkCache({
    address: parseCacheUrl(url, 'URL'),
    tls,
    ...{ valueBytes: flags.size, count: flags.count, clients: flags.clients },
    timeoutMs: 1000 * flags.timeout,
    run: randomBytes(8).toString('hex'),
    now: () => performance.now() / 1000,
  });
  process.stdout.write(
    flags.json
      ? `${JSON.stringify(result)}\n`
      : cacheCheckText(url.replace(/\/\/[^@/]*@/, '//'), result),
  );
  const { missing, wrong, invented } = result;
  if (missing + wrong + invented > 0) process.exitCode = 1;
}

/** @throws {InputError} If a file cannot be used. */
async function clientTls(flags: CheckFlags): Promise<ClientTls> {
  const { tlsCa: ca, tlsCert: cert, tlsKey: key, tlsServerName: serverName } = flags;
  if ((cert === undefined) !== (key === undefined)) {
    throw new InputError('--tls-cert and --tls-key belong together: give both.');
  }
  if (ca === undefined && cert === undefined) return { serverName };
  const log = { info() {}, warning: (line: string) => process.stderr.write(`${line}\n`) };
  const { context } = await TlsIdentity.open({ files: { ca, cert, key }, name: '--tls-cert', log });
  return { serverName, context: () => context };
}
