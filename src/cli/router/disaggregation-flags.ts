// Flags of disaggregated prefill: which engines prefill, which decode, and how each of them is picked.
import { type Command, Option } from 'commander';
import type { DisaggregationSettings } from '../../apps/router/index.ts';
import { commaList, InputError } from '../../core/base/index.ts';
import { isDisaggregated, policyNames } from '../../core/routing/index.ts';
import { integer } from '../arguments/numbers.ts';

export interface DisaggregationFlags {
  readonly routingLogic: string;
  readonly staticBackends?: readonly string[];
  readonly staticModelLabels?: readonly string[];
  readonly prefillModelLabels?: readonly string[];
  readonly decodeModelLabels?: readonly string[];
  readonly prefillPolicy: string;
  readonly decodePolicy: string;
  readonly remotePrefillTokensMin: number;
}

/** As upstream's router picks. */
const policyDefault = 'roundrobin';

export function addDisaggregationFlags(command: Command): Command {
  return command
    .optionsGroup('Disaggregated prefill:')
    .option(
      '--prefill-model-labels <labels>',
      'with --routing-logic disaggregated_prefill…: labels of the engines that prefill, comma-separated',
      commaList,
    )
    .option('--decode-model-labels <labels>', 'labels of the engines that decode', commaList)
    .option(
      '--static-model-labels <labels>',
      'label of each engine of --static-backends; in Kubernetes, that of a pod is its label "model"',
      commaList,
    )
    .addOption(
      new Option('--prefill-policy <policy>', 'how the engine for the prefill is picked')
        .choices([...policyNames])
        .default(policyDefault),
    )
    .addOption(
      new Option('--decode-policy <policy>', 'how the engine that responds is picked')
        .choices([...policyNames])
        .default(policyDefault),
    )
    .option(
      '--remote-prefill-tokens-min <n>',
      'a prompt with fewer uncached tokens than this on the decode engine is prefilled there; 0: never',
      integer({ min: 0, max: 10_000_000 }),
      0,
    );
}

/** @throws {InputError} If only some of the labels are given, a label is one of both roles, or no listed engine has a role. */
export function disaggregationFrom(flags: DisaggregationFlags): DisaggregationSettings | undefined {
  const { prefillModelLabels: prefill, decodeModelLabels: decode, routingLogic } = flags;
  if (prefill === undefined && decode === undefined) {
    if (isDisaggregated(routingLogic)) throw new InputError(missing(routingLogic));
    return undefined;
  }
  if (!prefill?.length || !decode?.length) throw new InputError(missing(routingLogic));
  const both = prefill.find((label) => decode.includes(label));
  if (both !== undefined) {
    throw new InputError(
      `"${both}" is among --prefill-model-labels and --decode-model-labels; an engine has one role.`,
    );
  }
  if (flags.staticBackends !== undefined && flags.staticModelLabels === undefined) {
    throw new InputError(
      '--prefill-model-labels needs the label of each engine of --static-backends: give --static-model-labels.',
    );
  }
  for (const [flag, labels] of [
    ['--prefill-model-labels', prefill],
    ['--decode-model-labels', decode],
  ] as const) {
    if (flags.staticModelLabels?.every((label) => !labels.includes(label))) {
      throw new InputError(
        `No engine has a label of ${flag}: --static-model-labels has ${flags.staticModelLabels.join(', ')}.`,
      );
    }
  }
  return {
    ...{ prefillLabels: prefill, decodeLabels: decode },
    ...{ prefillPolicy: flags.prefillPolicy, decodePolicy: flags.decodePolicy },
    remotePrefillTokensMin: flags.remotePrefillTokensMin,
  };
}

/** The policies that pick engines: one, or one for each role. */
export function pickingPolicies(flags: DisaggregationFlags): readonly string[] {
  const { routingLogic, prefillPolicy, decodePolicy } = flags;
  return isDisaggregated(routingLogic) ? [prefillPolicy, decodePolicy] : [routingLogic];
}

function missing(routingLogic: string): string {
  const needs = isDisaggregated(routingLogic)
    ? `--routing-logic ${routingLogic} needs`
    : 'Disaggregated prefill needs';
  return `${needs} --prefill-model-labels and --decode-model-labels: the labels of the engines that prefill and of those that decode.`;
}
