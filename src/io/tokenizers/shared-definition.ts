// Puts a tokenizer into shared memory, so that two threads have one copy of its tables.
import { decodeTables, encodeTables, Tokenizer } from '../../core/tokenizer/index.ts';
import type { TableDefinition } from './load-tokenizer.ts';
import type { SharedDefinition } from './thread-messages.ts';

export function sharedDefinition(definition: TableDefinition): SharedDefinition {
  const encoded = encodeTables(definition.tokenizer);
  const tables = new Uint8Array(new SharedArrayBuffer(encoded.byteLength));
  tables.set(encoded);
  return { tables, config: definition.config, chatTemplate: definition.chatTemplate };
}

/** @throws {InputError} If this kind of tokenizer is not supported. */
export function tokenizerOf({ tables, config, chatTemplate }: SharedDefinition): Tokenizer {
  const tokenizer = decodeTables(tables);
  if (tokenizer === undefined) throw new RangeError('The tables are of another format.');
  return new Tokenizer({
    tokenizer,
    ...(config && { config }),
    ...(chatTemplate !== undefined && { chatTemplate }),
  });
}
