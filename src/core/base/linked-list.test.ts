import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Linked, LinkedList } from './index.ts';

class Item implements Linked<Item> {
  readonly name: string;
  previous: Item | undefined = undefined;
  next: Item | undefined = undefined;

  constructor(name: string) {
    this.name = name;
  }
}

test('items are listed in the order added; one that is added again moves to the end', () => {
  const list = new LinkedList<Item>();
  const [a, b, c] = [new Item('a'), new Item('b'), new Item('c')];
  assert.equal(list.first, undefined);
  for (const item of [a, b, c]) list.add(item);
  list.add(a);
  assert.deepEqual(
    list.items().map(({ name }) => name),
    ['b', 'c', 'a'],
  );
  assert.equal(list.first, b);
  list.remove(c);
  assert.deepEqual([list.length, list.has(c), list.has(a)], [2, false, true]);
});

test('a removed item keeps no other item in memory', () => {
  const list = new LinkedList<Item>();
  const [a, b, c] = [new Item('a'), new Item('b'), new Item('c')];
  for (const item of [a, b, c]) list.add(item);
  list.remove(b);
  assert.deepEqual([b.previous, b.next], [undefined, undefined]);
});

test('any sequence of additions and removals leaves what a Set would contain', () => {
  const change = fc.record({ adds: fc.boolean(), index: fc.nat(4) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const items = ['a', 'b', 'c', 'd', 'e'].map((name) => new Item(name));
      const list = new LinkedList<Item>();
      const set = new Set<Item>();
      for (const { adds, index } of changes) {
        const item = items[index] as Item;
        set.delete(item);
        if (adds) {
          set.add(item);
          list.add(item);
        } else list.remove(item);
        assert.deepEqual([list.items(), list.length], [[...set], set.size]);
        assert.equal(list.first, [...set][0]);
        for (const one of items) assert.equal(list.has(one), set.has(one));
      }
    }),
  );
});
