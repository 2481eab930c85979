import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findPreset, presets } from './presets.ts';
import { resolveValues } from './resolve.ts';
import { type Path, pathText } from './tree.ts';
import { type MenuEntry, ValuesEditor } from './values-editor.ts';

const laptop = findPreset('laptop').yaml;

test('a value changes in its place, and all comments stay', () => {
  const editor = new ValuesEditor(laptop, 'values.yaml');
  editor.set(['servingEngineSpec', 'modelSpec', 0, 'gpu'], 'A100-80GB');
  editor.set(['servingEngineSpec', 'modelSpec', 0, 'replicaCount'], 2);
  assert.equal(
    editor.text,
    laptop
      .replace('gpu: H100-80GB #', 'gpu: A100-80GB #')
      .replace('replicaCount: 4', 'replicaCount: 2'),
  );
});

test('a key comes and goes with the sections around it', () => {
  const editor = new ValuesEditor('# mine\n\nrouterSpec:\n', 'values.yaml');
  editor.set(['routerSpec', 'timeouts', 'connect'], 3);
  assert.equal(editor.text, '# mine\n\nrouterSpec:\n  timeouts:\n    connect: 3\n');
  editor.unset(['routerSpec', 'timeouts', 'connect']);
  assert.equal(editor.text, '# mine\n');
});

test('an empty file takes its first key', () => {
  const editor = new ValuesEditor('', 'values.yaml');
  assert.equal(editor.text, '');
  editor.set(['routerSpec', 'routingLogic'], 'session');
  assert.equal(editor.text, 'routerSpec:\n  routingLogic: session\n');
});

for (const text of [
  'a:\n- b: 1\n- b: 2\n',
  'a:\n  - b: 1\n  - b: 2\n',
  'a:\n# item\n- b: 1 # why\n',
]) {
  test(`lists keep their indent: ${JSON.stringify(text)}`, () => {
    assert.equal(new ValuesEditor(text, 'values.yaml').text, text);
  });
}

test('changes are named by key, from and to', () => {
  const editor = new ValuesEditor(
    'routerSpec:\n  sessionKey: x-user\n  extraArgs: []\n',
    'values.yaml',
  );
  editor.set(['routerSpec', 'routingLogic'], 'session');
  editor.unset(['routerSpec', 'sessionKey']);
  editor.set(['routerSpec', 'extraArgs'], ['--log-stats']);
  assert.deepEqual(
    editor.changes().map(({ path, from, to }) => [pathText(path), from, to]),
    [
      ['routerSpec.sessionKey', 'x-user', undefined],
      ['routerSpec.extraArgs[0]', undefined, '--log-stats'],
      ['routerSpec.routingLogic', undefined, 'session'],
    ],
  );
  assert.deepEqual(new ValuesEditor(laptop, 'values.yaml').changes(), []);
});

test('a change at the top of the file is named like any other', () => {
  const editor = new ValuesEditor('', 'values.yaml');
  editor.set(['top'], 1);
  assert.deepEqual(editor.changes(), [{ path: ['top'], from: undefined, to: 1 }]);
});

test('a key of the menu tells what holds without it; a value has no keys, and an unknown key is none', () => {
  const editor = new ValuesEditor('routerSpec: {routingLogic: session}\n', 'values.yaml');
  const logic = editor.entry(['routerSpec', 'routingLogic']);
  assert.deepEqual(
    [logic?.written, logic?.standard, logic?.kind],
    ['session', 'roundrobin', 'value'],
  );
  const port = editor.entry(['routerSpec', 'containerPort']);
  assert.deepEqual([port?.written, port?.standard], [undefined, 8000]);
  // A default of the chart within a map whose keys have none of their own.
  const probe = editor.entry(['servingEngineSpec', 'startupProbe', 'initialDelaySeconds']);
  assert.equal(probe?.standard, 15);
  assert.deepEqual(editor.entries(['routerSpec', 'routingLogic']), []);
  assert.equal(editor.entry(['no', 'such', 'key']), undefined);
});

test('a value that the schema does not allow is refused in one sentence', () => {
  const editor = new ValuesEditor(laptop, 'values.yaml');
  const logic = ['routerSpec', 'routingLogic'];
  assert.equal(editor.refusal(logic, 'session'), undefined);
  assert.match(
    editor.refusal(logic, 'random') ?? '',
    /^routerSpec\.routingLogic must be one of .*roundrobin/,
  );
  assert.match(editor.refusal(['routerSpec', 'containerPort'], 0) ?? '', /from 1 to 65535/);
  assert.equal(editor.text, laptop);
});

test('a refusal names the key that it is about, be it of a list or of a map, and nothing else of the file', () => {
  const editor = new ValuesEditor('routerSpec: {containerPort: 0}\n', 'values.yaml');
  assert.equal(editor.refusal(['routerSpec', 'routingLogic'], 'session'), undefined);
  assert.match(editor.refusal(['routerSpec', 'extraArgs'], 'text') ?? '', /routerSpec\.extraArgs/);
  assert.equal(editor.refusal(['routerSpec', 'extraArgs'], []), undefined);
});

test('null is a plain value, and takes the place of one with its comment', () => {
  const editor = new ValuesEditor('routerSpec:\n  rootPath: /a # here\n', 'values.yaml');
  editor.set(['routerSpec', 'rootPath'], null);
  assert.equal(editor.text, 'routerSpec:\n  rootPath: null # here\n');
});

test('what is removed behind an alias is not changed either', () => {
  const text = 'routerSpec: &r { rootPath: /a }\nspillway: *r\n';
  const editor = new ValuesEditor(text, 'values.yaml');
  assert.throws(() => editor.unset(['spillway', 'rootPath']), /spillway is \*r, which may stand/);
});

test('a value behind an alias is not changed: it may stand in several places', () => {
  const editor = new ValuesEditor('routerSpec: &r { rootPath: /a }\nspillway: *r\n', 'values.yaml');
  assert.throws(
    () => editor.set(['spillway', 'rootPath'], '/b'),
    /spillway is \*r, which may stand/,
  );
});

for (const text of ['- a\n', 'a: [\n', '"text"\n']) {
  test(`no values file: ${JSON.stringify(text)}`, () => {
    assert.throws(() => new ValuesEditor(text, 'my.yaml'), /^InputError: my\.yaml: [^\n]+$/);
  });
}

test('every key of the menu has a description, and its own value can be written back', () => {
  for (const { yaml, name } of presets) {
    const editor = new ValuesEditor(yaml, name);
    const all = [...walk(editor, [])];
    assert.ok(all.length > 300, `${all.length} keys`);
    for (const { path, node, written } of all) {
      if (typeof path.at(-1) === 'string') assert.ok(node.description, pathText(path));
      if (written !== undefined) editor.set(path, written);
    }
    assert.deepEqual(editor.changes(), []);
    resolveValues({ files: [{ name, text: editor.text }] });
  }
});

test('whatever is set and unset, the file reads back as its values', () => {
  const entries = [...walk(new ValuesEditor(laptop, 'laptop'), [])].filter(
    ({ kind }) => kind === 'value',
  );
  const edit = fc.record({
    at: fc.nat(entries.length - 1),
    to: fc.option(fc.jsonValue({ maxDepth: 1 })),
  });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 12 }), (edits) => {
      const editor = new ValuesEditor(laptop, 'laptop');
      const expected = new Map<string, unknown>();
      for (const { at, to } of edits) {
        const { path } = entries[at] as MenuEntry;
        if (to === null) editor.unset(path);
        else editor.set(path, to);
        expected.set(pathText(path), to === null ? undefined : to);
      }
      const again = new ValuesEditor(editor.text, 'again');
      for (const { at } of edits) {
        const { path } = entries[at] as MenuEntry;
        // As text, because YAML knows −0.
        const [is, should] = [again.entry(path)?.written, expected.get(pathText(path))];
        assert.equal(JSON.stringify(is), JSON.stringify(should));
      }
    }),
  );
});

function* walk(editor: ValuesEditor, path: Path): Generator<MenuEntry> {
  for (const entry of editor.entries(path)) {
    yield entry;
    if (entry.kind !== 'value') yield* walk(editor, entry.path);
  }
}
