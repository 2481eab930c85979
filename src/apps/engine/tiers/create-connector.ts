// Creates the connector of one engine.
import {
  type EngineConfig,
  type KvConnector,
  MultiConnector,
  NativeOffload,
  type StepCostModel,
  type TierListener,
} from '../../../core/engine/index.ts';
import type { GeneratedSequence } from '../sequences/generated-sequence.ts';
import { ExampleConnector } from './example-connector.ts';
import { createLmcache } from './lmcache-tier.ts';
import { createNixl } from './nixl-tier.ts';
import type { OutsideWork } from './outside-work.ts';
import type { TierOptions } from './tier-options.ts';

interface ConnectorOptions {
  readonly tier?: TierOptions | undefined;
  readonly config: EngineConfig;
  readonly cost: StepCostModel;
  readonly log?: ((line: string) => void) | undefined;
}

/**
 * @returns Undefined if the options name no tier.
 * @throws {InputError} If the tier's folder cannot be used.
 */
export function createConnector(
  options: ConnectorOptions,
  listener: TierListener,
  outside: OutsideWork,
): KvConnector | undefined {
  return options.tier && connectorOf(options.tier, options, listener, outside);
}

function connectorOf(
  tier: TierOptions,
  options: ConnectorOptions,
  listener: TierListener,
  outside: OutsideWork,
): KvConnector {
  const { blockSize, enablePrefixCaching } = options.config;
  switch (tier.connector) {
    case 'MultiConnector':
      return new MultiConnector(
        tier.tiers.map((one) => connectorOf(one, options, listener, outside)),
      );
    case 'OffloadingConnector':
      return new NativeOffload({ config: tier.config, blockSize, enablePrefixCaching, listener });
    case 'LMCacheConnectorV1':
      return createLmcache(tier, { ...options, blockSize }, listener, outside);
    case 'NixlConnector':
      return createNixl(tier, { ...options, blockSize }, listener, outside);
    case 'ExampleConnector':
      return new ExampleConnector({
        ...{ storagePath: tier.storagePath, blockSize, log: options.log },
        promptOf: (request) => (request as GeneratedSequence).prompt,
      });
  }
}
