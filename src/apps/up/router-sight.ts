// What the clients of the stack's router may see, and whether this program must look elsewhere.
import { routerKeyOf } from '../../core/launch/index.ts';
import type { Values } from '../../core/values/index.ts';
import { isLoopback } from '../../io/listen/index.ts';

/** How the router shows its views. */
export interface RouterSight {
  /** Arguments that come before those of the values file. */
  readonly flags: readonly string[];
  /** Whether the router keeps its views from its clients: they are on its admin port. */
  readonly isHidden: boolean;
}

/**
 * Clients that know the key of a stack on this machine are its developers, and see why an engine was picked; clients on other
 * machines may be strangers to each other.
 */
export function routerSight(
  values: Values,
  environment: Readonly<Record<string, string | undefined>>,
): RouterSight {
  const { pickHeader, extraArgs, host } = values.routerSpec;
  const hasKey =
    routerKeyOf(values, environment) !== undefined ||
    extraArgs.some((argument) => /^--api[-_]key[-_]file(=|$)/.test(argument));
  const last = extraArgs.findLast((argument) => /^--(no-)?pick-header$/.test(argument));
  const asked = last === undefined ? pickHeader : last === '--pick-header';
  if (!hasKey) return { flags: [], isHidden: false };
  const isSeen = asked ?? isLoopback(host);
  return { flags: asked === undefined && isSeen ? ['--pick-header'] : [], isHidden: !isSeen };
}
