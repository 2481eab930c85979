// The logs of a stack's services, from the journals of their hosts.

import type { InstalledRelease } from '../../core/bare-metal/index.ts';
import { InputError } from '../../core/base/index.ts';
import type { HostSession } from './session.ts';

export interface HostLogLine {
  readonly component: string;
  readonly unit: string;
  readonly host: string;
  readonly line: string;
}

/** A day: somebody who follows logs ends that by Ctrl-C. */
const followMs = 24 * 3_600_000;
const readMs = 60_000;

/** @throws {InputError} If a name is neither a component, a model nor a unit. */
export async function followLogs(options: {
  readonly session: HostSession;
  readonly installed: readonly InstalledRelease[];
  /** Components such as `router` or `engine`, models or units; all if empty. */
  readonly names: readonly string[];
  readonly tailLines: number;
  readonly sinceSeconds?: number | undefined;
  readonly follows: boolean;
  readonly onLine: (line: HostLogLine) => void;
}): Promise<void> {
  const { session, installed, names, tailLines, sinceSeconds, follows, onLine } = options;
  const services = installed.flatMap(({ record }, index) =>
    (record?.services ?? []).map((service) => ({ service, host: session.hosts[index] })),
  );
  const chosen = services.filter(
    ({ service }) => names.length === 0 || names.some((name) => isNamed(service, name)),
  );
  const unknown = names.find((name) => !services.some(({ service }) => isNamed(service, name)));
  if (unknown !== undefined) {
    const known = [...new Set(services.map(({ service }) => service.component))].join(', ');
    throw new InputError(`There is no component or unit "${unknown}"; there are: ${known}.`);
  }
  await Promise.all(
    chosen.map(async ({ service, host }) => {
      if (host === undefined) return;
      const { unit, component } = service;
      const since = sinceSeconds === undefined ? '' : ` --since=-${Math.ceil(sinceSeconds)}s`;
      const script = `exec journalctl -u ${unit} -n ${tailLines}${since}${follows ? ' -f' : ''} --no-pager -o cat\n`;
      await session.run(host, script, follows ? followMs : readMs, (line) =>
        onLine({ component, unit, host: host.text, line }),
      );
    }),
  );
}

function isNamed(
  {
    component,
    role,
    unit,
  }: { readonly component: string; readonly role: string; readonly unit: string },
  name: string,
): boolean {
  return (
    [component, role, unit, unit.replace(/\.service$/, '')].includes(name) ||
    component === `engine ${name}`
  );
}
