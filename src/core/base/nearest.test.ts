import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, nearestSpelling } from './nearest.ts';

test('case, separators and a few typos are ignored', () => {
  const keys = ['maxNumSeqs', 'maxModelLen', 'urls', 'gpu'];
  const table: [string, string | undefined][] = [
    ['max_num_seqs', 'maxNumSeqs'],
    ['MAX-NUM-SEQS', 'maxNumSeqs'],
    ['maxNumSqes', 'maxNumSeqs'],
    ['maxModelLength', 'maxModelLen'],
    ['url', 'urls'],
    ['gup', 'gpu'],
    ['gpus', 'gpu'],
    ['blockSize', undefined],
    ['x', undefined],
    ['', undefined],
  ];
  for (const [word, expected] of table) assert.equal(nearestSpelling(word, keys), expected, word);
});

test('a shared part is a match when no spelling is near', () => {
  assert.equal(nearest('enabled', ['tag', 'enableRouter']), 'enableRouter');
  assert.equal(nearest('model', ['modelURL']), 'modelURL');
  assert.equal(nearest('env', ['environment']), undefined);
});
