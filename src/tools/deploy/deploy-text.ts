// States of a stack as lines for people, and as JSON.
import type { ComponentState, StackState } from '../../core/deploy/index.ts';
import type { ObjectChange } from './changes.ts';
import type { Deployment } from './deploy.ts';

/** `engine qwen: 1/4 ready, starting: loading weights, 40 %`. */
export function componentLine({ name, ready, wanted, health, reason }: ComponentState): string {
  const state = health === 'ready' ? '' : `, ${reason === '' ? health : reason}`;
  return `${name}: ${ready}/${wanted} ready${state}`;
}

/** A line per component, with its next step and the last lines of a log below. */
export function statusLines({ components }: StackState): readonly string[] {
  return components.flatMap((component) => [
    `${marks[component.health]} ${componentLine(component)}`,
    ...(component.next === '' ? [] : [`    next: ${component.next}`]),
    ...(component.pods[0]?.log ?? []).map((line) => `    | ${line}`),
  ]);
}

const marks = { ready: '✓', starting: '…', stopping: '…', waiting: '!', failed: '✗' } as const;

export function stackJson({ health, summary, components }: StackState): object {
  return { health, summary, components };
}

export function changesJson(changes: readonly ObjectChange[]): object {
  return changes.map(({ object, kind }) => ({ object, change: kind }));
}

export function deploymentJson({
  helmVersion,
  clusterVersion,
  changes,
  outcome,
}: Deployment): object {
  return {
    helm: helmVersion,
    kubernetes: clusterVersion,
    changes: changesJson(changes),
    ...(outcome && {
      chart: outcome.release.chart,
      revision: outcome.release.revision,
      serving: outcome.isServing,
      completions: outcome.completions,
      reason: outcome.reason,
      next: outcome.next,
      undone: outcome.undone,
      ...stackJson(outcome.stack),
    }),
  };
}
