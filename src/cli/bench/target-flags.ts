// The flags that say where a server is, by the names of `vllm bench serve`.
import type { Command } from 'commander';
import { httpUrl } from '../arguments/lists.ts';
import { port } from '../arguments/numbers.ts';

/** Where one server is. */
export interface TargetFlags {
  readonly url?: URL;
  readonly baseUrl?: URL;
  readonly host: string;
  readonly port: number;
  readonly endpoint?: string;
}

/** Adds the flags of one server. */
export function addTargetFlags(command: Command): Command {
  return command
    .optionsGroup('Server:')
    .option('--url <url>', 'base URL of the server, with or without /v1', httpUrl)
    .option('--base-url <url>', 'the same as --url', httpUrl)
    .option('--host <name>', 'host, without --url', '127.0.0.1')
    .option('--port <n>', 'port, without --url', port, 8000)
    .option(
      '--endpoint <path>',
      'path of the requests, such as /v1/chat/completions; it also chooses the API',
    );
}
