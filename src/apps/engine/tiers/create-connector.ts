// Creates the connector of one engine.
import {
  type EngineConfig,
  type KvConnector,
  MultiConnector,
  NativeOffload,
  type TierListener,
} from '../../../core/engine/index.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';
import { ExampleConnector } from './example-connector.ts';
import type { TierOptions } from './tier-options.ts';

interface ConnectorOptions {
  readonly tier?: TierOptions | undefined;
  readonly config: EngineConfig;
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * @returns Undefined if the options name no tier.
 * @throws {InputError} If the tier's folder cannot be used.
 */
export function createConnector(
  options: ConnectorOptions,
  listener: TierListener,
): KvConnector | undefined {
  return options.tier && connectorOf(options.tier, options, listener);
}

function connectorOf(
  tier: TierOptions,
  options: ConnectorOptions,
  listener: TierListener,
): KvConnector {
  const { blockSize, enablePrefixCaching } = options.config;
  switch (tier.connector) {
    case 'MultiConnector':
      return new MultiConnector(tier.tiers.map((one) => connectorOf(one, options, listener)));
    case 'OffloadingConnector':
      return new NativeOffload({ config: tier.config, blockSize, enablePrefixCaching, listener });
    case 'ExampleConnector':
      return new ExampleConnector({
        ...{ storagePath: tier.storagePath, blockSize, log: options.log },
        promptOf: (request) => (request as GeneratedSequence).prompt,
      });
  }
}
