// Files that commands leave behind are written by io/files, which loses nothing of what was there before.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

/** Functions of node:fs that can change what a user has. */
const writers =
  /\b(writeFile|appendFile|createWriteStream|open|rename|copyFile|cp|truncate)(Sync)?\b/;

/** Who else uses them, and what for. */
const others: Readonly<Record<string, string>> = {
  'src/apps/engine/tiers/disk-store.ts': 'KV blocks of an engine, each under a name of its own',
  'src/apps/engine/tiers/example-connector.ts': 'KV blocks of an engine, in folders that it made',
  'src/apps/up/child-logs.ts': 'logs, appended',
  'src/apps/up/local-prometheus.ts': 'a folder that up made for a Prometheus of its own',
  'src/cli/cluster/group-file.ts': 'a folder that the command made and removes',
  'src/cli/cluster/value-flags.ts': 'a folder that the command made and removes',
  'src/io/bounded-files/read-bounded.ts': 'only reads',
  'src/io/disk/disk-files.ts': 'KV blocks of the cache server, each written beside and renamed',
  'src/io/disk/folder-lock.ts': 'the lock of a folder of KV blocks',
  'src/io/local-stacks/local-stacks.ts': 'one file a stack, which is removed with it',
  'src/io/temporary/temporary.ts': 'temporary files, each new',
  'src/io/tokenizers/download.ts': 'a download under a new name',
  'src/io/tokenizers/model-files.ts': 'a downloaded folder, renamed when it is whole',
  'src/io/tokenizers/tables-cache.ts': 'a cache with checksums, written beside and renamed',
  'src/tools/deploy/chart.ts': 'a copy of the chart in a folder that the command made',
  'src/tools/deploy/containerd-hosts.ts': 'configuration of containerd, written beside and renamed',
  'src/tools/runs/cut-events.ts': 'events that give way to a result on a full disk',
  'src/tools/runs/result-file.ts': 'only reads',
  'src/tools/runs/run-folder.ts': 'events in a new folder, appended as they happen',
};

test('results are written by io/files; all others have a reason here', () => {
  const found = globSync('src/**/*.ts')
    .filter((file) => !file.endsWith('.test.ts') && !file.startsWith('src/io/files/'))
    .filter((file) => importsWriter(readFileSync(file, 'utf8')));
  assert.deepEqual(found.toSorted(), Object.keys(others).toSorted());
});

function importsWriter(text: string): boolean {
  const imports = text.matchAll(/import \{([^}]*)\} from 'node:fs(?:\/promises)?'/g);
  const namespaces = /import (?:\* as )?\w+ from 'node:fs(?:\/promises)?'/;
  return [...imports].some(([, names = '']) => writers.test(names)) || namespaces.test(text);
}
