// The dynamic configuration file: read at startup, and applied again when it changes.
import { InputError, SpillwayError } from '../../../core/base/index.ts';
import type { Logger } from '../../../io/log/index.ts';
import type { DynamicConfig } from './dynamic-config-schema.ts';
import type { LiveSettings } from './live-settings.ts';

export interface DynamicConfigOptions {
  readonly path: string;
  /**
   * Interval between readings; upstream reads every 10 s. A change applies once two readings agree, since
   * a writer may not have finished. @default 1000
   */
  readonly pollMs?: number | undefined;
}

export interface DynamicConfigFileOptions extends DynamicConfigOptions {
  /** Values of keys that the file omits. */
  readonly base: LiveSettings;
  /** How the router finds engines. */
  readonly discovery: string;
  readonly log: Logger;
}

/**
 * If the file is unreadable or invalid, the whole last configuration stays in force and the reason is
 * logged once. At startup that is an error.
 */
export class DynamicConfigFile {
  readonly #options: DynamicConfigFileOptions;
  #config: DynamicConfig;
  /** Of `config`. */
  #text: string;
  #lastRead: string;
  #problem: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  /** @throws {InputError} One line per problem: file, line, key, what is allowed. */
  static async open(options: DynamicConfigFileOptions): Promise<DynamicConfigFile> {
    const text = await read(options.path);
    const config = await parse(text, options);
    for (const note of config.notes) options.log[note.level](`${options.path}: ${note.text}`);
    if (config.settings.engines?.length === 0) {
      options.log.warning(`${options.path} lists no engines: requests get 404 until it does.`);
    }
    return new DynamicConfigFile(options, text, config);
  }

  private constructor(options: DynamicConfigFileOptions, text: string, config: DynamicConfig) {
    this.#options = options;
    this.#text = text;
    this.#lastRead = text;
    this.#config = config;
  }

  /** The settings in force. */
  get settings(): LiveSettings {
    return this.#config.settings;
  }

  /** For /health. */
  get view(): DynamicConfig['view'] {
    return this.#config.view;
  }

  /** Applies every later change. @param apply Makes settings take effect, all in one turn. */
  follow(apply: (settings: LiveSettings) => void): void {
    const { pollMs = 1_000 } = this.#options;
    const look = async () => {
      await this.#look(apply);
      if (!this.#isStopped) this.#timer = setTimeout(look, pollMs).unref();
    };
    this.#timer = setTimeout(look, pollMs).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #look(apply: (settings: LiveSettings) => void): Promise<void> {
    const { path, log } = this.#options;
    try {
      const text = await read(path, false);
      const isSettled = text === this.#lastRead;
      this.#lastRead = text;
      if (!isSettled || (text === this.#text && this.#problem === undefined)) return;
      const config = await parse(text, this.#options);
      if (this.#isStopped) return;
      if (config.settings.engines?.length === 0 && this.settings.engines?.length) {
        throw new InputError(
          `${path} lists no engines, which would leave the router without any: list them in static_backends.`,
        );
      }
      apply(config.settings);
      this.#text = text;
      this.#config = config;
      this.#problem = undefined;
      for (const { level, text: note } of config.notes) log[level](`${path}: ${note}`);
      log.info(`dynamic configuration ${path}: applied`);
    } catch (error) {
      const isInput = error instanceof SpillwayError;
      const message = isInput ? error.message : `${path}: ${error}`;
      if (message === this.#problem) return;
      this.#problem = message;
      log.warning(`${message} The current configuration stays in force.`);
    }
  }
}

// The YAML reader and its checks are loaded only by routers that have such a file.

async function read(path: string, waits = true): Promise<string> {
  const { readInputText } = await import('../../../io/values/index.ts');
  return (await readInputText(path, waits)).text;
}

async function parse(text: string, options: DynamicConfigFileOptions): Promise<DynamicConfig> {
  const { parseDynamicConfig } = await import('./dynamic-config-schema.ts');
  return parseDynamicConfig(text, options.path, options.base, options.discovery);
}
