import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { findPreset } from '../../core/values/index.ts';
import { type MenuEnd, runConfigMenu } from './config-menu.ts';

const laptop = findPreset('laptop').yaml;
const [enter, back, up, down, clear] = ['\r', '\x1b', '\x1b[A', '\x1b[B', '\x15'];

test('a key is found by search, changed and saved; comments stay', async (t) => {
  const menu = openMenu(t, laptop);
  await menu.at('values.yaml', ['Search all', enter]);
  await menu.at('Search in', ['routingLogic', enter]);
  await menu.at('Value', [down, enter]);
  await menu.at('1 change, not saved', ['Save and', enter]);
  assert.deepEqual(await menu.end, { isSaved: true, changes: 1 });
  assert.match(menu.screen(), /routerSpec\.routingLogic: predictive → prefixaware/);
  assert.equal(
    menu.file(),
    laptop.replace('routingLogic: predictive', 'routingLogic: prefixaware'),
  );
});

test('sections open and close; a value is typed, and checked by the schema', async (t) => {
  const menu = openMenu(t, laptop);
  await menu.at('values.yaml', ['routerSpec', enter]);
  await menu.at('values.yaml routerSpec', ['containerPort', enter]);
  await menu.at('Allowed: a whole number from 1 to 65535', ['0', enter]);
  await menu.at('must be a whole number from 1 to 65535, not 0', [clear, '9000', enter]);
  await menu.at('1 change, not saved', [back]);
  await menu.at('values.yaml (1 change, not saved)', ['Save and', enter]);
  assert.deepEqual(await menu.end, { isSaved: true, changes: 1 });
  assert.match(
    menu.file(),
    /^routerSpec:\n {2}routingLogic: predictive\n {2}containerPort: 9000\n/m,
  );
});

test('an entry is added to a list with the keys that it must have', async (t) => {
  const menu = openMenu(t, laptop);
  await menu.at('values.yaml', ['Search all', enter]);
  await menu.at('Search in', ['loraAdapters[].name', enter]);
  await menu.at('values.yaml loraAdapters', ['add an', enter]);
  await menu.at('name: Name of', ['sql', enter]);
  await menu.at('baseModel: Name of', ['qwen3-8b', enter]);
  await menu.at('values.yaml loraAdapters[0]', [back]);
  await menu.at('values.yaml loraAdapters (', [back]);
  await menu.at('not saved)', [back]);
  await menu.at('Save ', ['n']);
  assert.deepEqual(await menu.end, { isSaved: false, changes: 2 });
  assert.equal(menu.file(), laptop);
});

test('a conflict between keys is said at once, and a file with one is saved only on request', async (t) => {
  const menu = openMenu(t, laptop);
  await menu.at('values.yaml', ['Search all', enter]);
  await menu.at('Search in', ['routingLogic', enter]);
  await menu.at('Value', [down, down, down, enter]);
  await menu.at('routerSpec.sessionKey', ['Save and', enter]);
  await menu.at('Save a file with these problems?', [enter]);
  await menu.at('values.yaml (1 change', [back]);
  await menu.at('Save ', ['n']);
  assert.deepEqual(await menu.end, { isSaved: false, changes: 1 });
});

test('a new file starts from a preset', async (t) => {
  const menu = openMenu(t, undefined);
  await menu.at('does not exist yet', [enter]);
  await menu.at('values.yaml', [up, enter]);
  await menu.at('Save', [enter]);
  assert.deepEqual(await menu.end, { isSaved: true, changes: 0 });
  assert.equal(menu.file(), laptop);
});

test('Ctrl-C leaves a file as it was', async (t) => {
  const menu = openMenu(t, laptop);
  await menu.at('values.yaml', ['\x03']);
  assert.deepEqual(await menu.end, { isSaved: false, changes: 0 });
});

test('a file that is not YAML is refused with its line', async (t) => {
  await assert.rejects(openMenu(t, 'routerSpec: [\n').end, /values\.yaml:/);
});

/** A menu over a terminal whose keys are given when its screen shows a text. */
function openMenu(t: TestContext, text: string | undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'menu-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'values.yaml');
  if (text !== undefined) writeFileSync(file, text);
  const [input, output] = [new PassThrough(), new PassThrough()];
  Object.assign(output, { columns: 200, rows: 60 });
  let shown = '';
  let seen = 0;
  let check = (): void => {};
  output.setEncoding('utf8').on('data', (data: string) => {
    shown += stripVTControlCharacters(data);
    check();
  });
  const end: Promise<MenuEnd> = runConfigMenu({
    ...{ file, preset: undefined, checks: [], catalogue: undefined, input, output },
  });
  end.catch(() => {});
  return {
    end,
    screen: () => shown,
    file: () => readFileSync(file, 'utf8'),
    /** Waits for a text that was not there at the last call, then presses keys one after another. */
    async at(wanted: string, keys: readonly string[]): Promise<void> {
      await new Promise<void>((resolve) => {
        check = () => {
          if (shown.indexOf(wanted, seen) >= 0) resolve();
        };
        check();
      });
      for (const key of keys) {
        await new Promise((resolve) => setImmediate(resolve));
        seen = shown.length;
        input.write(key);
      }
    },
  };
}
