// The states of a stack's services on its hosts, as components with reasons and next steps.
import {
  type ComponentState,
  causeOf,
  type Health,
  type PodState,
  stageOf,
} from '../deploy/index.ts';
import { shellWord } from '../quoting/index.ts';
import type { RecordedService } from './release-files.ts';

/** What systemd and the service itself say. */
export interface ObservedService {
  /** `active`, `activating`, `failed`, `inactive`, …; '' if there is no such unit. */
  readonly activeState: string;
  readonly restarts: number;
  /** How the last run ended: `success`, `exit-code`, `signal`, …. */
  readonly result: string;
  readonly exitStatus: number;
  /** Whether it responds to health checks. */
  readonly isHealthy: boolean;
  /** Last lines of its log. */
  readonly log: readonly string[];
}

/** Lines of a log that are read for a cause. */
const logLines = 80;
/** Lines that are shown. */
const shownLines = 10;
/** Runs that ended before a service counts as failed: one may be an accident. */
const restartsMax = 2;
const healthSeconds = 5;

/** Prints the state of each service: lines of systemd, its health, and its log if it is not ready. */
export function observeScript(services: readonly RecordedService[]): string {
  return services
    .flatMap(({ unit, healthUrl }) => {
      const name = shellWord(unit);
      return [
        `printf 'unit %s\\n' ${name}`,
        `systemctl show ${name} -p LoadState,ActiveState,NRestarts,Result,ExecMainStatus`,
        `if curl -fsSk -m ${healthSeconds} -o /dev/null ${shellWord(healthUrl)} 2>/dev/null; then echo healthy; else`,
        `  journalctl -u ${name} -n ${logLines} --no-pager -o cat 2>/dev/null | cut -c1-2000 | sed 's/^/log /'; fi`,
      ];
    })
    .join('\n')
    .concat('\n');
}

/** @returns By unit. */
export function parseObserved(text: string): ReadonlyMap<string, ObservedService> {
  const found = new Map<string, ObservedService>();
  for (const part of text.split(/^unit /m).slice(1)) {
    const [unit = '', ...lines] = part.split('\n');
    const property = (name: string) =>
      lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
    found.set(unit.trim(), {
      activeState: property('LoadState') === 'not-found' ? '' : property('ActiveState'),
      restarts: Number(property('NRestarts')) || 0,
      result: property('Result'),
      exitStatus: Number(property('ExecMainStatus')) || 0,
      isHealthy: lines.includes('healthy'),
      log: lines.filter((line) => line.startsWith('log ')).map((line) => line.slice(4)),
    });
  }
  return found;
}

/** One service on one host, observed or not. */
export interface HostedService {
  readonly host: string;
  readonly service: RecordedService;
  /** Undefined if the host did not respond. */
  readonly observed: ObservedService | undefined;
}

const worstFirst: readonly Health[] = ['failed', 'waiting', 'starting', 'ready'];

/** The components in the order of their first service. */
export function serviceComponents(services: readonly HostedService[]): readonly ComponentState[] {
  const names = [...new Set(services.map(({ service }) => service.component))];
  return names.map((name) => {
    const own = services.filter(({ service }) => service.component === name);
    const states = own.map(stateOf);
    const pods = states
      .filter(({ health }) => health !== 'ready')
      .toSorted((one, other) => worstFirst.indexOf(one.health) - worstFirst.indexOf(other.health));
    const worst = pods[0];
    return {
      ...{ name, role: own[0]?.service.role ?? 'other', wanted: own.length },
      ready: states.length - pods.length,
      health: worst?.health ?? 'ready',
      cause: worst?.cause ?? 'none',
      reason: worst?.reason ?? '',
      next: worst?.next ?? '',
      pods,
    };
  });
}

/** A service counts as a pod: its name is the unit's, with its host. */
function stateOf({ host, service, observed }: HostedService): PodState {
  const { unit } = service;
  const state = (
    health: Health,
    cause: PodState['cause'],
    reason: string,
    next = '',
  ): PodState => ({
    ...{ pod: `${unit} on ${host}`, health, cause, reason, next },
    log: health === 'failed' ? (observed?.log.slice(-shownLines) ?? []) : [],
  });
  if (observed === undefined) {
    return state('waiting', 'none', `${host} does not respond`, `check that "ssh ${host}" works`);
  }
  const { activeState, restarts, isHealthy, log } = observed;
  if (activeState === '') {
    return state('failed', 'configuration', `${unit} is not installed on ${host}`, 'deploy again');
  }
  if (activeState === 'active' && isHealthy) return state('ready', 'none', '');
  const known = causeOf(log);
  if (activeState === 'inactive') {
    return state(
      'failed',
      'none',
      'it was stopped',
      `start it: systemctl start ${unit} on ${host}`,
    );
  }
  if (activeState === 'failed' || restarts > restartsMax) {
    const next = known?.next ?? `read its log: journalctl -u ${unit} on ${host}`;
    return state('failed', 'crash', known?.cause ?? endOf(observed), next);
  }
  return state('starting', 'none', stageOf(log) ?? 'starting');
}

function endOf({ result, exitStatus, restarts }: ObservedService): string {
  const how = result === 'exit-code' ? `ended with status ${exitStatus}` : `ended (${result})`;
  return restarts > 0 ? `${how}, ${restarts} times` : how;
}
