// The ports of the engines that `spillway up` starts: free ones, or those that the values count up from.
import { type EnginePlan, type EnginePorts, processGroups } from '../../core/launch/index.ts';
import type { Values } from '../../core/values/index.ts';
import { assertPortFree, freePortRuns } from '../../io/processes/index.ts';

/**
 * Chooses the ports of each engine; undefined for one that is not started here.
 *
 * @throws {InputError} If a port of the values is in use.
 */
export async function chooseEnginePorts(
  values: Values,
  engines: readonly EnginePlan[],
): Promise<(EnginePorts | undefined)[]> {
  const first = values.spillway.enginePort;
  const groups = processGroups(values, engines);
  // Engines of one process have consecutive ports: their own, those of KV events, those of replay.
  const runs = await freePortRuns(groups.flatMap(({ length }) => [length, length, length]));
  const portsOf = new Map<EnginePlan, EnginePorts>();
  for (const [i, group] of groups.entries()) {
    const [http = 0, kvEvents = 0, kvReplay = 0] = runs.slice(i * 3, i * 3 + 3);
    for (const [k, engine] of group.entries()) {
      const wanted = first === 0 ? http + k : first + portsOf.size;
      portsOf.set(engine, { http: wanted, kvEvents: kvEvents + k, kvReplay: kvReplay + k });
    }
  }
  const chosen = engines.map((engine) => portsOf.get(engine));
  if (first !== 0) {
    for (const ports of chosen) {
      if (ports) await assertPortFree('127.0.0.1', ports.http, '--set spillway.enginePort=…');
    }
  }
  return chosen;
}
