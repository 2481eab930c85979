// The connector of one engine.
import { type KvConnector, NativeOffload, type TierListener } from '../../../core/engine/index.ts';
import type { EngineServerOptions } from '../options.ts';
import type { Sequence } from '../sequence.ts';
import { ExampleConnector } from './example-connector.ts';

/**
 * @returns Undefined if the options name no tier.
 * @throws {InputError} If the tier's folder cannot be used.
 */
export function createConnector(
  { tier, config, log }: EngineServerOptions,
  listener: TierListener,
): KvConnector | undefined {
  const { blockSize, enablePrefixCaching } = config;
  switch (tier?.connector) {
    case 'OffloadingConnector':
      return new NativeOffload({ config: tier.config, blockSize, enablePrefixCaching, listener });
    case 'ExampleConnector':
      return new ExampleConnector({
        ...{ storagePath: tier.storagePath, blockSize, log },
        promptOf: (request) => (request as Sequence).prompt,
      });
    case undefined:
      return undefined;
  }
}
