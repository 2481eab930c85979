// The LoRA adapters of one engine: loads, replaces, unloads and finds them, with vLLM's responses.
import { ApiError } from '../../../core/api/index.ts';
import { AdapterFolderError, readAdapterFolder } from './adapter-folder.ts';
import { sanitized } from './sanitized.ts';

/** An adapter that requests may name as their model. */
export interface Adapter {
  /** Part of KV events; unchanged as long as the adapter is loaded. */
  readonly id: number;
  readonly name: string;
  /** Part of block hashes, and `root` of its card in /v1/models. */
  readonly path: string;
  /** Its base model, and `parent` of its card. */
  readonly parent: string;
}

/** Values of `--enable-lora` and its related flags. */
export interface LoraOptions {
  /** vLLM's `--max-lora-rank`. */
  readonly maxRank: number;
  /** vLLM's `--lora-modules`: loaded before the port opens. */
  readonly modules?: readonly LoraModule[] | undefined;
  /**
   * Checks that the adapter at a path can be loaded.
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

/** Maximum number of adapters of one engine; beyond it, loading fails. vLLM has no limit. */
const adaptersMax = 10_000;

export class Adapters {
  readonly #options: LoraOptions | undefined;
  readonly #servedModelNames: readonly string[];
  readonly #loaded = new Map<string, Adapter>();
  /** Every attempt increments it, also a failed one. */
  #lastId = 0;

  /** @param options Undefined without `--enable-lora`: then nothing can be loaded. */
  constructor(options: LoraOptions | undefined, servedModelNames: readonly string[]) {
    this.#options = options;
    this.#servedModelNames = servedModelNames;
  }

  /** In loading order. */
  get all(): IterableIterator<Adapter> {
    return this.#loaded.values();
  }

  find(name: string | null | undefined): Adapter | undefined {
    return name == null ? undefined : this.#loaded.get(name);
  }

  /**
   * Called when a request names an unknown model. If adapters can be loaded at run time, vLLM looks
   * for one with that name, and uses up an id.
   */
  missed(): void {
    this.#lastId++;
  }

  /**
   * @param options `inPlace`: replaces the adapter with this name.
   * @throws {ApiError} 400 if the name is in use or a field is empty, 404 if nothing exists at the
   * path, 500 if it cannot be loaded.
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

  /** @throws {ApiError} 400 without a name, 404 if no adapter has this name. */
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

/** Returns the error of a worker, as vLLM's server process reports it. */
function failed(message: string): ApiError {
  return new ApiError(
    500,
    'InternalServerError',
    sanitized(
      `Call to add_lora method failed: Worker failed with error '${message}', please check the stack trace above for the root cause`,
    ),
  );
}
