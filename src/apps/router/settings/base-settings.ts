// The settings that a router starts with: those of its options, or of its dynamic configuration.
import { defaultPolicyName } from '../../../core/routing/index.ts';
import type { RouterOptions } from '../options.ts';
import { DynamicConfigFile } from './dynamic-config-file.ts';
import type { LiveSettings } from './live-settings.ts';

/** Undefined without a file. @throws {InputError} If the file cannot be used. */
export function openDynamicConfig(options: RouterOptions): Promise<DynamicConfigFile> | undefined {
  const { dynamicConfig, discovery = 'static', log } = options;
  return (
    dynamicConfig &&
    DynamicConfigFile.open({ ...dynamicConfig, base: baseSettings(options), discovery, log })
  );
}

/** The settings before any dynamic configuration. */
export function baseSettings(options: RouterOptions): LiveSettings {
  return {
    engines: 'changes' in options.engines ? undefined : options.engines,
    aliases: options.aliases ?? new Map(),
    policy: options.policy ?? defaultPolicyName,
    sessionKey: options.sessionKey,
    healthIntervalMs: options.healthIntervalMs ?? 5_000,
    healthTimeoutMs: options.healthTimeoutMs ?? 3_000,
  };
}
