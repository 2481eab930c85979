// The LoRA adapters of one engine: loaded, replaced, unloaded and found by name, with vLLM's answers.
import { ApiError } from '../../../core/api/index.ts';
import { AdapterFolderError, readAdapterFolder } from './adapter-folder.ts';
import { sanitized } from './sanitized.ts';

/** An adapter that requests may name as their model. */
export interface Adapter {
  /** Enters KV events; the same for as long as the adapter is loaded. */
  readonly id: number;
  readonly name: string;
  /** Enters block hashes; `root` of its card in /v1/models. */
  readonly path: string;
  /** The base model it belongs to; `parent` of its card. */
  readonly parent: string;
}

/** What `--enable-lora` and its companions say. */
export interface LoraOptions {
  /** vLLM's `--max-lora-rank`. */
  readonly maxRank: number;
  /** vLLM's `--lora-modules`: loaded before the port opens. */
  readonly modules?: readonly LoraModule[] | undefined;
  /**
   * Finds out whether what lies at a path can be loaded.
   *
   * @throws {AdapterFolderError} If it cannot. @default reads the folder
   */
  readonly check?: ((path: string, maxRank: number) => Promise<void>) | undefined;
}

/** One adapter of `--lora-modules`. */
export interface LoraModule {
  readonly name: string;
  readonly path: string;
  readonly baseModelName?: string | undefined;
}

/** Adapters that one engine keeps; past it loading fails. vLLM has no bound. */
const adaptersMax = 10_000;

export class Adapters {
  readonly #options: LoraOptions | undefined;
  readonly #servedModelNames: readonly string[];
  readonly #loaded = new Map<string, Adapter>();
  /** Ids are counted up by every attempt, also one that fails. */
  #lastId = 0;

  /** @param options Undefined without `--enable-lora`: nothing can be loaded then. */
  constructor(options: LoraOptions | undefined, servedModelNames: readonly string[]) {
    this.#options = options;
    this.#servedModelNames = servedModelNames;
  }

  /** In the order in which they were loaded. */
  get all(): IterableIterator<Adapter> {
    return this.#loaded.values();
  }

  find(name: string | null | undefined): Adapter | undefined {
    return name == null ? undefined : this.#loaded.get(name);
  }

  /**
   * A request named a model that is not there. Where adapters may come at run time, vLLM looks for
   * one of that name, and uses up an id.
   */
  missed(): void {
    this.#lastId++;
  }

  /**
   * @param options `inPlace`: replaces the adapter of that name.
   * @throws {ApiError} 400 if the name is taken or something is empty, 404 if nothing lies at the
   *   path, 500 if it cannot be loaded.
   */
  async load(
    name: string,
    path: string,
    options: { readonly inPlace?: boolean; readonly baseModelName?: string | undefined } = {},
  ): Promise<void> {
    this.#checkLoad(name, path, options.inPlace === true);
    const id = this.#loaded.get(name)?.id ?? ++this.#lastId;
    await this.#checkFolder(name, path);
    if (this.#loaded.size >= adaptersMax && !this.#loaded.has(name)) {
      throw failed(`This engine keeps ${adaptersMax} adapters; unload one first`);
    }
    const { baseModelName } = options;
    const isServed = baseModelName !== undefined && this.#servedModelNames.includes(baseModelName);
    const parent = isServed ? baseModelName : (this.#servedModelNames[0] as string);
    this.#loaded.set(name, { id, name, path, parent });
  }

  /** @throws {ApiError} 400 without a name, 404 if no adapter has it. */
  unload(name: string): void {
    if (name === '') {
      throw invalid("'lora_name' needs to be provided to unload a LoRA adapter.");
    }
    if (!this.#loaded.delete(name)) {
      throw new ApiError(
        404,
        'NotFoundError',
        sanitized(`The lora adapter '${name}' cannot be found.`),
      );
    }
  }

  #checkLoad(name: string, path: string, isInPlace: boolean): void {
    if (name === '' || path === '') {
      throw invalid("Both 'lora_name' and 'lora_path' must be provided.");
    }
    if (this.#servedModelNames.includes(name)) {
      throw invalid(`The lora adapter '${name}' conflicts with a served base model.`);
    }
    if (!isInPlace && this.#loaded.has(name)) {
      throw invalid(
        `The lora adapter '${name}' has already been loaded. If you want to load the adapter in place, set 'load_inplace' to True.`,
      );
    }
  }

  async #checkFolder(name: string, path: string): Promise<void> {
    if (this.#options === undefined)
      throw failed('LoRA is not enabled. Use --enable-lora to enable LoRA.');
    const { check = readAdapterFolder, maxRank } = this.#options;
    try {
      await check(path, maxRank);
    } catch (error) {
      if (!(error instanceof AdapterFolderError)) throw error;
      if (!error.isMissing) throw failed(error.message);
      throw new ApiError(
        404,
        'NotFoundError',
        sanitized(`Loading lora ${name} failed: No adapter found for ${path}`),
      );
    }
  }
}

function invalid(message: string): ApiError {
  return new ApiError(400, 'InvalidUserInput', sanitized(message));
}

/** What went wrong in a worker, as the process before it reports it. */
function failed(message: string): ApiError {
  return new ApiError(
    500,
    'InternalServerError',
    sanitized(
      `Call to add_lora method failed: Worker failed with error '${message}', please check the stack trace above for the root cause`,
    ),
  );
}
