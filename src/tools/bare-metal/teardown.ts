// Removes a stack from its hosts, and checks that nothing is left.
import { releaseFolder, removeScript } from '../../core/bare-metal/index.ts';
import type { HostSession } from './session.ts';

export interface HostsTeardown {
  readonly removed: readonly string[];
  /** What is still there, each with its host. */
  readonly left: readonly string[];
  /** Caches of models that stay, each with its host. */
  readonly kept: readonly string[];
}

export async function teardownHosts(options: {
  readonly session: HostSession;
  readonly release: string;
  /** Whether caches of models go, too. */
  readonly purges: boolean;
  readonly waitMs: number;
  readonly onStep: (line: string) => void;
}): Promise<HostsTeardown> {
  const { session, release, purges, waitMs, onStep } = options;
  const installed = await session.installed(release);
  const units = installed.map(({ record }) => record?.services.map(({ unit }) => unit) ?? []);
  const results = await Promise.all(
    session.hosts.map(async (host, index) => {
      const own = installed[index];
      if (own?.record === undefined) return { left: [], kept: [] };
      await session.run(host, removeScript(own, releaseFolder(release), purges), waitMs);
      for (const unit of units[index] ?? []) onStep(`${host.text}: removed ${unit}`);
      const text = await session.run(host, checkScript(units[index] ?? [], release));
      const found = (key: string) =>
        text
          .split('\n')
          .filter((line) => line.startsWith(`${key} `))
          .map((line) => `${line.slice(key.length + 1)} on ${host.text}`);
      return { left: found('left'), kept: found('kept') };
    }),
  );
  return {
    removed: units.flatMap((own, index) =>
      own.map((unit) => `${unit} on ${session.hosts[index]?.text}`),
    ),
    left: results.flatMap(({ left }) => left),
    kept: results.flatMap(({ kept }) => kept),
  };
}

/** Names of units and releases hold no character that a shell reads. */
function checkScript(units: readonly string[], release: string): string {
  return [
    ...units.map((unit) => `if systemctl is-active --quiet ${unit}; then echo "left ${unit}"; fi`),
    `for f in /etc/systemd/system/spillway-${release}_*.service ${releaseFolder(release)}; do`,
    '  if [ -e "$f" ]; then echo "left $f"; fi',
    'done',
    ...units.map((unit) => {
      const cache = `/var/cache/private/${unit.replace(/\.service$/, '')}`;
      return `if [ -d ${cache} ]; then echo "kept ${cache}"; fi`;
    }),
    '',
  ].join('\n');
}
