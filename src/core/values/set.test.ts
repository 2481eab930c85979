import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applySet } from './set.ts';
import { type Dictionary, emptyMap, fromPlain, toPlain } from './tree.ts';

type Flag = '--set' | '--set-string';

function set(text: string, onto: unknown = {}, flag: Flag = '--set'): unknown {
  const { tree, problems } = applySet(fromPlain(onto, { source: 'f' }) as Dictionary, text, flag);
  assert.deepEqual(problems, [], text);
  return toPlain(tree);
}

test('parses --set with Helm’s grammar', () => {
  const table: [string, unknown][] = [
    ['a=b', { a: 'b' }],
    ['a=b,c=d', { a: 'b', c: 'd' }],
    ['a=b,c=d,', { a: 'b', c: 'd' }],
    ['a=,c=d', { a: '', c: 'd' }],
    ['a=', { a: '' }],
    ['a.b=c', { a: { b: 'c' } }],
    ['a.b.c=d,a.e=f', { a: { b: { c: 'd' }, e: 'f' } }],
    ['a=one two', { a: 'one two' }],
    ['a=b=c', { a: 'b=c' }],
    ['a=one\\,two', { a: 'one,two' }],
    ['a\\.b=c', { 'a.b': 'c' }],
    ['nodeSelector."kubernetes\\.io/role"=x', { nodeSelector: { '"kubernetes.io/role"': 'x' } }],
    ['a\\=b=c', { 'a=b': 'c' }],
    ['a=c:\\\\d', { a: 'c:\\d' }],
    ['a={b,c}', { a: ['b', 'c'] }],
    ['a={}', { a: [] }],
    ['a=[],b=null', { a: [], b: null }],
    ['a={1,true},b=2', { a: [1, true], b: 2 }],
    ['a={b\\,c,d\\}}', { a: ['b,c', 'd}'] }],
    ['a[0]=b', { a: ['b'] }],
    ['a[0].b=c,a[0].d=e', { a: [{ b: 'c', d: 'e' }] }],
    ['a[2]=b', { a: [null, null, 'b'] }],
    ['a[0][1]=b', { a: [[null, 'b']] }],
    ['a[1].b=c,a[0].b=d', { a: [{ b: 'd' }, { b: 'c' }] }],
    ['a=true,b=FALSE,c=Null,d=0', { a: true, b: false, c: null, d: 0 }],
    ['a=12,b=-3,c=+4', { a: 12, b: -3, c: 4 }],
    ['a=007,b=1.5,c=1e3', { a: '007', b: '1.5', c: '1e3' }],
    ['a=12345678901234567890', { a: '12345678901234567890' }],
  ];
  for (const [text, result] of table) assert.deepEqual(set(text), result, text);
});

test('--set-string reads every value as text', () => {
  assert.deepEqual(set('a=1,b=true,c=null,d={1,2}', {}, '--set-string'), {
    a: '1',
    b: 'true',
    c: 'null',
    d: ['1', '2'],
  });
});

test('--set overrides values of files, including items of lists', () => {
  const onto = { a: [{ x: 1, y: 2 }, { x: 3 }], b: { c: 'd' }, e: null };
  assert.deepEqual(set('a[0].x=9,a[1].z=8,a[2].x=7,b.f=g,e.h=1', onto), {
    a: [{ x: 9, y: 2 }, { x: 3, z: 8 }, { x: 7 }],
    b: { c: 'd', f: 'g' },
    e: { h: 1 },
  });
});

test('"0.5" is a number where a key accepts only numbers; Helm would leave it a text', () => {
  assert.deepEqual(set('servingEngineSpec.modelSpec[0].timeScale=0.5'), {
    servingEngineSpec: { modelSpec: [{ timeScale: 0.5 }] },
  });
  assert.deepEqual(set('cacheserverSpec.image.tag=1.37'), {
    cacheserverSpec: { image: { tag: '1.37' } },
  });
});

test('--set-workload reads every decimal as a number: no key of a workload is a text of digits', () => {
  const { tree } = applySet(
    emptyMap('f'),
    'arrivals.rate=0.3,skew=1e-1,kind=lora',
    '--set-workload',
  );
  assert.deepEqual(toPlain(tree), { arrivals: { rate: 0.3 }, skew: 0.1, kind: 'lora' });
});

test('refuses an invalid --set in one sentence that quotes the flag', () => {
  const onto = { a: [1], b: { c: 1 }, s: 'x' };
  const table: [string, RegExp][] = [
    ['', /nothing is set; write KEY=VALUE/],
    ['a', /a has no value; write a=VALUE, and \\, for a comma inside a value/],
    ['a=1,b', /b has no value/],
    ['x.y,z=1', /x\.y has no value/],
    ['=1', /a key is empty/],
    ['x.=1', /a key is empty/],
    ['a=1,,b=2', /a key is empty/],
    ['x={1,2', /must end with \}/],
    [
      'a[x]=1',
      /\[x\] is not a list index; it must be a whole number from 0 to 65536, as in a\[0\]/,
    ],
    ['a[-1]=1', /\[-1\] is not a list index/],
    ['a[65537]=1', /\[65537\] is not a list index/],
    ['a[0', /\[0 is not a list index/],
    ['a[0]', /a\[0\] has no value/],
    ['a[0]x=1', /a\[0\] must be followed by =, \. or \[, not by "x"/],
    ['a.b=1', /a is not a map, so it has no key b/],
    ['b[0]=1', /b is not a list, so it has no item \[0\]/],
    ['s.t=1', /s is not a map/],
    ['__proto__.x=1', /__proto__ cannot be used as a key/],
    [`${'a.'.repeat(31)}b=1`, /nested deeper than 30 levels/],
  ];
  for (const [text, expected] of table) {
    const { problems, tree } = applySet(
      fromPlain(onto, { source: 'f' }) as Dictionary,
      text,
      '--set',
    );
    assert.equal(problems.length, 1, text);
    assert.match(problems[0]?.sentence ?? '', expected);
    assert.equal(problems[0]?.place.source, `--set ${text}`);
    assert.deepEqual(toPlain(tree), onto, 'a refused flag changes nothing');
  }
});

test('the place of a value set by a flag is the flag', () => {
  const { tree } = applySet(emptyMap('f'), 'a.b=1', '--set');
  assert.deepEqual(tree.entries.get('a')?.value.place, { source: '--set a.b=1' });
  // A key of the file that a flag sets has its place at the flag, an enclosing one keeps its place.
  const file = fromPlain({ a: { b: 1 } }, { source: 'file' }) as Dictionary;
  const { tree: changed } = applySet(file, 'a.b=2', '--set');
  const outer = changed.entries.get('a');
  assert.equal(outer?.place.source, 'file');
  const inner = outer?.value.kind === 'map' ? outer.value.entries.get('b') : undefined;
  assert.equal(inner?.place.source, '--set a.b=2');
});

test('the index of a list may be up to 65536', () => {
  const problemsOf = (text: string) => applySet(emptyMap('f'), text, '--set').problems;
  assert.deepEqual(problemsOf('a[65536]=1'), []);
  assert.match(problemsOf('a[65537]=1')[0]?.sentence ?? '', /from 0 to 65536/);
});
