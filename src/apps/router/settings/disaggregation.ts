// Which engines prefill and which decode, and how each of them is picked.
import { InputError } from '../../../core/base/index.ts';
import type { EngineRole } from '../../../core/routing/index.ts';

export interface DisaggregationSettings {
  /** `model` labels of the engines that prefill, and of those that decode; at least one of each. */
  readonly prefillLabels: readonly string[];
  readonly decodeLabels: readonly string[];
  readonly prefillPolicy: string;
  readonly decodePolicy: string;
  /** A prompt with fewer uncached tokens than this on the decode engine is prefilled there; 0 for never. */
  readonly remotePrefillTokensMin: number;
}

/** @throws {InputError} If the settings are missing. */
export function disaggregationFor(
  routingLogic: string,
  settings: DisaggregationSettings | undefined,
): DisaggregationSettings {
  if (settings !== undefined) return settings;
  throw new InputError(
    `--routing-logic ${routingLogic} needs --prefill-model-labels and --decode-model-labels: the labels of the engines that prefill and of those that decode.`,
  );
}

/** The role of engines with this label; undefined for engines that do the whole of a request. */
export function roleOfLabel(
  settings: DisaggregationSettings | undefined,
  label: string | undefined,
): EngineRole | undefined {
  if (settings === undefined || label === undefined) return undefined;
  if (settings.prefillLabels.includes(label)) return 'prefill';
  return settings.decodeLabels.includes(label) ? 'decode' : undefined;
}
