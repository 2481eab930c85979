// The tokenizer files of models on disk: those that were downloaded, bounded, and those in the cache of Hugging
// Face's own programs.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { downloadFile, downloadJson } from './download.ts';
import { cacheFolder, type Environment } from './tables-cache.ts';

/** Maximum number of models whose files are kept, about 12 MB each; the least recently used are removed first. */
const modelsMax = 8;
/** The largest vocabularies (262,000 tokens) take 33 MB. */
const tokenizerBytesMax = 64 * 1_048_576;
const smallFileBytesMax = 4 * 1_048_576;
/** Time for all files of one model. */
const downloadTimeoutMs = 120_000;
/** A folder in which a download of another process may still be in progress is younger than this. */
const abandonedMs = 3_600_000;

const fileNames = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'] as const;

/** A model of the hub, and the branch, tag or commit. */
export interface HubModel {
  readonly id: string;
  readonly revision: string;
}

/** @returns Undefined if the text is not a name of the hub. @example hubModel('Qwen/Qwen3-8B@main') */
export function hubModel(text: string): HubModel | undefined {
  const found = /^([\w][\w.-]*(?:\/[\w][\w.-]*)?)(?:@([\w][\w./-]*))?$/.exec(text);
  const [, id, revision = 'main'] = found ?? [];
  if (id === undefined || text.includes('..') || text.length > 200) return undefined;
  return { id, revision };
}

/** Finds a model in the cache that Hugging Face's programs, and with them vLLM, fill. */
export async function huggingFaceFolder(
  { id, revision }: HubModel,
  environment: Environment,
): Promise<string | undefined> {
  const model = join(huggingFaceCache(environment), `models--${id.replace('/', '--')}`);
  const named = await readFile(join(model, 'refs', revision), 'utf8').catch(() => revision);
  const folder = join(model, 'snapshots', named.trim());
  return existsSync(join(folder, 'tokenizer.json')) ? folder : undefined;
}

/** @see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables */
function huggingFaceCache(environment: Environment): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = environment;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
  return HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, 'hub');
}

/** Whether the environment forbids downloads from the hub. */
function isOffline(environment: Environment): boolean {
  return ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'].some((name) =>
    /^(1|on|yes|true)$/i.test(environment[name] ?? ''),
  );
}

/**
 * Returns the folder with a model's files, which are downloaded once. A branch that moves on the hub is not
 * followed: name a commit, or remove the folder.
 *
 * @throws {InputError} If they are neither cached nor can be downloaded.
 */
export async function hubFolder(
  model: HubModel,
  environment: Environment,
  signal?: AbortSignal,
): Promise<ModelFolder> {
  const { id, revision } = model;
  const name = `${id}@${revision}`.replaceAll('/', '--');
  return keptFolder(name, environment, signal, async (folder, within) => {
    if (isOffline(environment)) {
      throw new InputError(`${id} is not cached, and HF_HUB_OFFLINE forbids to download it`);
    }
    const endpoint = (environment['HF_ENDPOINT'] || 'https://huggingface.co').replace(/\/+$/, '');
    const token = environment['HF_TOKEN']?.trim();
    const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const options = { headers, signal: within };
    const address = `${endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}`;
    const found = await downloadJson(address, { ...options, bytesMax: smallFileBytesMax });
    const { sha, siblings } = found as { sha?: unknown; siblings?: unknown };
    const listed = new Set(
      (Array.isArray(siblings) ? siblings : []).map((one) => Object(one).rfilename as unknown),
    );
    if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha) || !listed.has('tokenizer.json')) {
      throw new InputError(`${id} has no tokenizer.json on ${endpoint}`);
    }
    for (const file of fileNames) {
      if (!listed.has(file)) continue;
      const url = `${endpoint}/${id}/resolve/${sha}/${file}`;
      await downloadFile(url, join(folder, file), { ...options, bytesMax: bytesMaxOf(file) });
    }
  });
}

/** An engine that serves the files of its tokenizer. */
export interface EngineAddress {
  /** Without a trailing slash. */
  readonly url: string;
  readonly authorization: string | undefined;
}

/**
 * Returns the folder with the files of an engine's tokenizer, which are downloaded if their content is not cached.
 *
 * @throws {InputError} If the engine serves none.
 */
export async function engineFolder(
  engine: EngineAddress,
  environment: Environment,
  signal?: AbortSignal,
): Promise<ModelFolder> {
  const base = `${engine.url}/spillway/tokenizer`;
  const headers: Record<string, string> =
    engine.authorization === undefined ? {} : { authorization: engine.authorization };
  const deadline = AbortSignal.timeout(downloadTimeoutMs);
  const within = signal ? AbortSignal.any([signal, deadline]) : deadline;
  const manifest = await downloadJson(base, { headers, bytesMax: 65_536, signal: within });
  const { digest, files } = manifest as { digest?: unknown; files?: unknown };
  if (typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest) || !Array.isArray(files)) {
    throw new InputError(`GET ${base} returned no list of files`);
  }
  return keptFolder(`engine@${digest}`, environment, signal, async (folder, until) => {
    for (const file of fileNames) {
      if (!files.includes(file)) continue;
      const options = { headers, bytesMax: bytesMaxOf(file), signal: until };
      await downloadFile(`${base}/${file}`, join(folder, file), options);
    }
  });
}

/** A folder with the files of a model. */
export interface ModelFolder {
  readonly path: string;
  /** Removes a folder that is not kept. */
  release(): Promise<void>;
}

/** Returns a kept folder, or fills one. Another process sees it complete or not at all. */
async function keptFolder(
  name: string,
  environment: Environment,
  signal: AbortSignal | undefined,
  fill: (folder: string, signal: AbortSignal) => Promise<void>,
): Promise<ModelFolder> {
  const caches = cacheFolder(environment);
  const models = caches === undefined ? undefined : join(caches, 'models');
  const final = models === undefined ? undefined : join(models, name);
  if (final !== undefined && existsSync(join(final, 'tokenizer.json'))) return kept(final);
  if (models !== undefined) await mkdir(models, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(models ?? tmpdir(), '.unfinished-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const deadline = AbortSignal.timeout(downloadTimeoutMs);
    await fill(folder, signal ? AbortSignal.any([signal, deadline]) : deadline);
    if (final === undefined || models === undefined) return { path: folder, release: remove };
    await rename(folder, final).catch(async (error) => {
      // Another process was faster.
      if (!existsSync(join(final, 'tokenizer.json'))) throw error;
      await remove();
    });
    await removeOldest(models);
    return await kept(final);
  } catch (error) {
    await remove();
    throw error;
  }
}

async function kept(folder: string): Promise<ModelFolder> {
  const now = new Date();
  await utimes(folder, now, now).catch(() => undefined);
  return { path: folder, release: async () => undefined };
}

async function removeOldest(models: string): Promise<void> {
  const folders = await Promise.all(
    (await readdir(models)).map(async (name) => {
      const path = join(models, name);
      const usedMs = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      );
      return { path, usedMs, isFinished: !name.startsWith('.') };
    }),
  );
  const finished = folders
    .filter(({ isFinished }) => isFinished)
    .sort((a, b) => b.usedMs - a.usedMs);
  const abandoned = folders.filter(
    ({ isFinished, usedMs }) => !isFinished && Date.now() - usedMs > abandonedMs,
  );
  for (const { path } of [...finished.slice(modelsMax), ...abandoned]) {
    await rm(path, { recursive: true, force: true });
  }
}

function bytesMaxOf(file: (typeof fileNames)[number]): number {
  return file === 'tokenizer.json' ? tokenizerBytesMax : smallFileBytesMax;
}
