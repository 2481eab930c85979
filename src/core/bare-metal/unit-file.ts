// The text of a systemd service.
import { unitLine, unitWord } from '../quoting/index.ts';

export interface ServiceUnit {
  readonly description: string;
  /** An absolute path and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Runs before; failures are ignored. */
  readonly before?: readonly [string, ...string[]] | undefined;
  readonly stop?: readonly [string, ...string[]] | undefined;
  /** File with environment variables, which only root can read. */
  readonly environmentFile: string;
  /** Time from SIGTERM to SIGKILL. */
  readonly stopSeconds: number;
  /** Name below /var/cache, where the service may write; undefined: it runs as root, for a container engine. */
  readonly cacheDirectory: string | undefined;
}

/**
 * Renders a service that starts with the host and again 5 s after it ended. It gets a user of its own, which may write to its
 * cache only, unless a container engine confines it.
 *
 * @see systemd.service(5), systemd.exec(5), systemd.syntax(7)
 */
export function unitText(unit: ServiceUnit): string {
  const { command, before, stop, cacheDirectory } = unit;
  return [
    '[Unit]',
    `Description=${unitLine(unit.description)}`,
    'Wants=network-online.target',
    'After=network-online.target',
    // A service that ends again and again stays in "activating", and its log tells why.
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    ...(before === undefined ? [] : [`ExecStartPre=-${commandLine(before)}`]),
    `ExecStart=${commandLine(command)}`,
    ...(stop === undefined ? [] : [`ExecStop=${commandLine(stop)}`]),
    `EnvironmentFile=${unitLine(unit.environmentFile)}`,
    'Restart=always',
    'RestartSec=5',
    `TimeoutStopSec=${unit.stopSeconds}`,
    'LimitNOFILE=65536',
    ...(cacheDirectory === undefined ? [] : confined(cacheDirectory)),
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

function confined(cacheDirectory: string): readonly string[] {
  return [
    'DynamicUser=yes',
    `CacheDirectory=${cacheDirectory}`,
    `Environment=HOME=/var/cache/${cacheDirectory}`,
    `WorkingDirectory=/var/cache/${cacheDirectory}`,
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'ProtectHome=read-only',
    'ProtectControlGroups=yes',
    'ProtectKernelTunables=yes',
    'RestrictSUIDSGID=yes',
  ];
}

function commandLine(words: readonly string[]): string {
  return words.map(unitWord).join(' ');
}
