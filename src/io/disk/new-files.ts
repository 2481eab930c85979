// New files in folders that are made when they are needed.
import { dirname } from 'node:path';
import type { DiskFiles } from './disk-files.ts';
import { writeFile } from './write-file.ts';

export class NewFiles {
  readonly #files: DiskFiles;
  /** Folders that are there. */
  readonly #folders = new Set<string>();

  constructor(files: DiskFiles) {
    this.#files = files;
  }

  /**
   * Writes a file with its parts. A folder that somebody has removed is made again.
   *
   * @param size Bytes of all parts.
   * @throws As `writeFile`, or if the folder cannot be made.
   */
  async write(path: string, parts: readonly Uint8Array[], size: number): Promise<void> {
    const folder = dirname(path);
    if (this.#folders.has(folder)) {
      try {
        await writeFile(this.#files, path, parts, size);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        this.#folders.delete(folder);
      }
    }
    await this.#files.makeFolder(folder);
    // A link would lead the files to somewhere else.
    const { kind } = await this.#files.look(folder);
    if (kind !== 'folder') throw new Error(`${folder} is no folder`);
    this.#folders.add(folder);
    await writeFile(this.#files, path, parts, size);
  }
}
