// The smoke test of a stack on hosts: by the router's own address, over all of its engines.
import type { InstalledRelease } from '../../core/bare-metal/index.ts';
import { InputError } from '../../core/base/index.ts';
import type { HostSession } from '../../tools/bare-metal/index.ts';
import { type SmokeReport, smoke } from '../../tools/deploy/index.ts';
import { checkLine } from '../cluster/smoke-line.ts';
import { apiKeyOf } from '../cluster/stack-flags.ts';

export async function smokeOnHosts(options: {
  readonly session: HostSession;
  /** By host. */
  readonly installed: readonly InstalledRelease[];
  readonly routerUrl: string | undefined;
  readonly timeoutMs?: number | undefined;
  readonly print: (line: string) => void;
}): Promise<SmokeReport> {
  const { session, installed, routerUrl: url, timeoutMs, print } = options;
  if (url === undefined) {
    throw new InputError(
      'The release has no router (routerSpec.enableRouter); name an engine with --url.',
    );
  }
  const engines = installed.flatMap(({ record }, index) =>
    (record?.services ?? [])
      .filter(({ role }) => role === 'engine')
      .map(({ name }) => ({ name, ip: session.hosts[index]?.address ?? '' })),
  );
  return smoke({
    ...{ url, engines, isTunnel: true, apiKey: apiKeyOf(), signal: session.signal, timeoutMs },
    onCheck: (check) => print(checkLine(check)),
  });
}
