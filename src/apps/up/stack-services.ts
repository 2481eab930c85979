// How the processes of a stack are started, watched and stopped: commands, health, deadlines.
import {
  type Backend,
  type ControllerPorts,
  type EnginePorts,
  type EngineServices,
  embeddedEngineFlags,
  engineEnvironment,
  type ProcessGroup,
  routerEnvironment,
  routerFlags,
  vllmFlags,
} from '../../core/launch/index.ts';
import type { Values } from '../../core/values/index.ts';
import type { ProbeTls, ServiceSpec } from '../../io/processes/index.ts';
import { localUrl } from './backends.ts';
import { routerSight } from './router-sight.ts';
import { startSecondsMax } from './startup-probe.ts';

export interface ServiceOptions {
  readonly values: Values;
  /** Program and first arguments that run `spillway`. */
  readonly self: readonly [string, ...string[]];
  /** This program's environment: children inherit it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** File of `spillway plan --json`, which the page shows. */
  readonly planFile?: string | undefined;
}

/** An embedded engine starts in half a second, the very first in one and a half; a busy laptop needs longer. */
const embeddedStartDeadlineMs = 60_000;
const routerStartDeadlineMs = 60_000;
/** Time from SIGTERM to SIGKILL; the router ends its streams 2 s before. */
const stopGraceMs = 10_000;
/** One retry tells a chance failure, such as a port taken in between, from a lasting one. */
const vllmStartRetriesMax = 1;
/** vLLM ends its worker processes first. */
const vllmStopGraceMs = 20_000;

/**
 * The process of a group of engines.
 *
 * @param ports Those of the group's first engine.
 * @param services What else the stack has for its engines.
 */
export function engineService(
  options: ServiceOptions,
  group: ProcessGroup,
  ports: EnginePorts,
  healthTls: ProbeTls | undefined,
  services: EngineServices = {},
): ServiceSpec {
  const { values, self, environment } = options;
  const [engine] = group;
  // The last to listen.
  const healthUrl = `${localUrl(engine, ports.http + group.length - 1)}/health`;
  const env = engineEnvironment(values, engine.spec, environment, services);
  if (engine.kind === 'embedded') {
    const [command, ...first] = self;
    return {
      name: group.length === 1 ? engine.name : engine.spec.name,
      command,
      args: [
        ...[...first, 'engine'],
        ...embeddedEngineFlags(engine.spec, ports, values.cacheserverSpec, group.length),
      ],
      env,
      lifeline: 'pipe',
      ...{ healthUrl, healthTls },
      startDeadlineMs: embeddedStartDeadlineMs,
      stopGraceMs,
    };
  }
  const [program, ...first] = values.spillway.vllmCommand;
  return {
    name: engine.name,
    command: program as string,
    args: [...first, ...vllmFlags(engine.spec, ports, values.spillway.vllmCommand, services)],
    env,
    lifeline: 'guard',
    ...{ healthUrl, healthTls },
    startDeadlineMs: startSecondsMax(values.servingEngineSpec.startupProbe) * 1000,
    startRetriesMax: vllmStartRetriesMax,
    stopGraceMs: vllmStopGraceMs,
  };
}

/** The router as it listens. */
interface RouterAddress {
  /** Base URL of its health. */
  readonly healthUrl: string;
  readonly healthTls: ProbeTls | undefined;
  /** Port for this program alone; undefined if it asks at the router's own. */
  readonly adminPort: number | undefined;
  /** LMCache's controller; undefined for none. */
  readonly controller?: ControllerPorts | undefined;
}

/** The process of the router. */
export function routerService(
  { values, self, environment, planFile }: ServiceOptions,
  backends: readonly Backend[],
  { healthUrl, healthTls, adminPort, controller }: RouterAddress,
): ServiceSpec {
  const [command, ...first] = self;
  return {
    name: 'router',
    command,
    args: [
      ...[...first, 'router'],
      ...(planFile === undefined ? [] : ['--plan', planFile]),
      ...routerSight(values, environment).flags,
      ...routerFlags(values, backends, { adminPort, controller }),
    ],
    env: routerEnvironment(values, backends),
    lifeline: 'pipe',
    ...{ healthUrl: `${healthUrl}/health`, healthTls },
    startDeadlineMs: routerStartDeadlineMs,
    stopGraceMs: stopGraceMs + 1000 * (values.routerSpec.drainDelay ?? 0),
  };
}
