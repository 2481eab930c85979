// Loaded by NODE_OPTIONS: appends each SIGINT that `spillway` gets to the file SIGNALS_FILE. npm, its
// scripts and the launcher under an old Node are other programs.
import { appendFileSync } from 'node:fs';
import nodeModule from 'node:module';

// Only a Node that runs Spillway strips types.
const isNew = nodeModule.stripTypeScriptTypes !== undefined;
if (isNew && process.argv[1]?.endsWith('spillway.mjs')) {
  process.on('SIGINT', () => appendFileSync(process.env.SIGNALS_FILE, 'SIGINT\n'));
}
