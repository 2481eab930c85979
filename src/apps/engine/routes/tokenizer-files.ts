// GET /spillway/tokenizer: the files of the engine's tokenizer, for a router that tokenizes prompts itself.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FrameworkError } from '../http/framework-error.ts';
import type { Handler } from '../http/server.ts';

const fileNames = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'];

/** The list of files with a digest of their contents, and each file. @param folder Holds tokenizer.json. */
export function tokenizerFilesRoutes(folder: string): Readonly<Record<string, { GET: Handler }>> {
  const files = fileNames.filter((name) => existsSync(join(folder, name)));
  let digest: Promise<string> | undefined;
  return {
    '/spillway/tokenizer': {
      async GET(exchange) {
        digest ??= digestOf(folder, files);
        exchange.sendJson(200, JSON.stringify({ digest: await digest, files }));
      },
    },
    '/spillway/tokenizer/{file}': {
      async GET(exchange) {
        const { file = '' } = exchange.parameters;
        if (!files.includes(file)) throw new FrameworkError(404, 'Not Found');
        exchange.send(200, 'text/plain; charset=utf-8', await readFile(join(folder, file), 'utf8'));
      },
    },
  };
}

/** SHA-256 over the names and contents, in hexadecimal. */
async function digestOf(folder: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const name of files) {
    const content = await readFile(join(folder, name));
    hash.update(`${name} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}
