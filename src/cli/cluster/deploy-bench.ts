// `spillway deploy --bench`: a short load on the stack that was deployed.
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { readNodeSystem } from '../../core/deploy/index.ts';
import { loadTable, runServe, serveJson } from '../../tools/benchmark/index.ts';
import { openRouter } from '../../tools/deploy/index.ts';
import { readEnvironment } from '../../tools/environment/index.ts';
import { withProgress } from '../bench/run-measured.ts';
import { addLoadFlags, type LoadFlags } from '../bench/serve-flags.ts';
import { apiBase, serveOptions, trafficOf } from '../bench/serve-options.ts';
import { apiKeyOf, existingRelease, type Stack } from './stack-flags.ts';

/** As much as tells in half a minute whether a stack is of the right size. */
const standard = [
  ...['--dataset-name', 'random', '--random-input-len', '300', '--random-output-len', '40'],
  ...['--num-prompts', '120', '--request-rate', '4'],
];

export interface DeployBench {
  readonly ok: boolean;
  readonly table: string;
  /** With the keys of `vllm bench serve`, and the environment. In a cluster also its nodes; null if they may not be listed. */
  readonly json: object;
}

/**
 * Reads the argument of `--bench` before anything is deployed.
 *
 * @param given Flags of `bench serve`, which replace the standard ones; true for none.
 * @throws {InputError} If they cannot be used.
 */
export function readBenchFlags(given: string | true): LoadFlags {
  const own = given === true ? [] : given.split(/\s+/).filter((word) => word !== '');
  const command = addLoadFlags(new Command('bench serve')).exitOverride();
  command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  try {
    command.parse([...standard, ...own], { from: 'user' });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.replace(/^error: |\.$/g, '') : String(cause);
    throw new InputError(`--bench takes flags of "spillway bench serve": ${why}.`, { cause });
  }
  const flags = command.opts<LoadFlags>();
  trafficOf(flags);
  return flags;
}

/** Sends the load to the router of a release, through a port of this machine. */
export async function benchStack(stack: Stack, flags: LoadFlags): Promise<DeployBench> {
  const router = await openRouter(stack.cluster, await existingRelease(stack), apiKeyOf());
  try {
    const bench = await benchAt(router.url, flags, stack.signal);
    const nodes = await stack.cluster.listIfAllowed('/api/v1/nodes');
    return { ...bench, json: { ...bench.json, nodes: nodes?.map(readNodeSystem) ?? null } };
  } finally {
    await router.close();
  }
}

/** Sends the load to a router. */
export async function benchAt(
  url: string,
  flags: LoadFlags,
  signal: AbortSignal,
): Promise<DeployBench> {
  const options = serveOptions(flags, apiBase(new URL(url)), new Date());
  const traffic = trafficOf(flags);
  const outcome = await withProgress(signal, (context) => runServe(options, traffic, context));
  const { completed, failed } = outcome.report;
  return {
    ok: !outcome.isServerGone && completed > 0 && failed === 0,
    table: loadTable(options, outcome),
    json: { ...serveJson(options, outcome), environment: await readEnvironment({ urls: [url] }) },
  };
}
