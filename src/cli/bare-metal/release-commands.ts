// `spillway status`, `smoke`, `logs`, `monitor` and `teardown` with --target bare-metal.
import { followLogs, observeHosts, teardownHosts } from '../../tools/bare-metal/index.ts';
import { stackJson, statusLines } from '../../tools/deploy/index.ts';
import { printJson, progressOf, type StackFlags } from '../cluster/stack-flags.ts';
import { releaseOnHosts, withHosts } from './hosts-flags.ts';
import { smokeOnHosts } from './smoke-on-hosts.ts';

export async function statusOnHosts(flags: StackFlags): Promise<void> {
  await withHosts(flags, async (near) => {
    const { release } = flags;
    const { session, installed, revision, routerUrl } = await releaseOnHosts(near, release);
    const state = await observeHosts(session, installed);
    if (flags.json) {
      printJson({ release, target: 'bare-metal', revision, url: routerUrl, ...stackJson(state) });
    } else {
      const hosts = session.hosts.map(({ text }) => text).join(', ');
      const at = routerUrl === undefined ? '' : `, ${routerUrl}/v1`;
      const lines = statusLines(state).join('\n');
      process.stdout.write(
        `${release} on ${hosts}: revision ${revision}${at}\n${lines}\n${state.summary.replace('All pods of', 'All services of')}\n`,
      );
    }
    process.exitCode = state.health === 'ready' ? 0 : 1;
  });
}

export async function runSmokeOnHosts(
  flags: StackFlags & { readonly timeout: number },
): Promise<void> {
  await withHosts(flags, async (near) => {
    const { session, installed, routerUrl } = await releaseOnHosts(near, flags.release);
    const print = progressOf(flags);
    const report = await smokeOnHosts({
      session,
      installed,
      routerUrl,
      print,
      timeoutMs: flags.timeout * 1000,
    });
    if (flags.json) printJson(report);
    process.exitCode = report.ok ? 0 : 1;
  });
}

export async function logsOnHosts(
  names: readonly string[],
  flags: StackFlags & { readonly follow?: true; readonly tail: number; readonly since?: number },
): Promise<void> {
  await withHosts(flags, async (near) => {
    const { session, installed } = await releaseOnHosts(near, flags.release);
    await followLogs({
      ...{ session, installed, names, tailLines: flags.tail, sinceSeconds: flags.since },
      follows: flags.follow === true,
      onLine: (line) => {
        const { unit, host, line: text } = line;
        process.stdout.write(
          `${flags.json ? JSON.stringify(line) : `${unit} on ${host}: ${text}`}\n`,
        );
      },
    });
  });
}

/** Hosts are reached without forwarded ports, so this only says where. */
export async function monitorOnHosts(flags: StackFlags): Promise<void> {
  await withHosts(flags, async (near) => {
    const { installed, session, routerUrl } = await releaseOnHosts(near, flags.release);
    const logs = installed.flatMap(({ record }, index) =>
      (record?.services ?? []).map(
        ({ unit }) => `journalctl -f -u ${unit} on ${session.hosts[index]?.text}`,
      ),
    );
    if (flags.json)
      return printJson({ router: routerUrl, metrics: routerUrl && `${routerUrl}/metrics`, logs });
    const print = progressOf(flags);
    if (routerUrl !== undefined) {
      print(`router  ${routerUrl}/v1`);
      print(`page    ${routerUrl}/`);
      print(`metrics ${routerUrl}/metrics`);
    }
    for (const line of logs) print(`log     ${line}`);
  });
}

export async function teardownOnHosts(
  flags: StackFlags & { readonly pvcs?: true; readonly wait: number },
): Promise<void> {
  await withHosts(flags, async (near) => {
    const { release } = flags;
    const { session } = await releaseOnHosts(near, release);
    const print = progressOf(flags);
    const outcome = await teardownHosts({
      ...{
        session,
        release,
        purges: flags.pvcs === true,
        waitMs: flags.wait * 1000,
        onStep: print,
      },
    });
    if (flags.json) printJson({ release, target: 'bare-metal', ...outcome });
    for (const what of outcome.kept) print(`kept ${what}; --pvcs removes it`);
    for (const what of outcome.left) print(`left: ${what}`);
    const { left, kept } = outcome;
    if (left.length === 0) print(kept.length === 0 ? 'Nothing is left.' : 'Nothing else is left.');
    process.exitCode = left.length === 0 ? 0 : 1;
  });
}
