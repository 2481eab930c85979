import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ToolCallReader } from './tool-call-reader.ts';

const text =
  'I look.<tool_call>\n{"name": "find", "arguments": {"city": "Oslo"}}\n</tool_call>\n' +
  '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>';

test('returns the name of a call once and all its arguments, however the text is split', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(cuts, (lengths) => {
      const reader = new ToolCallReader(() => 'id');
      const names: string[] = [];
      const written: string[] = [];
      let content = '';
      for (let at = 0, i = 0; at < text.length; i++) {
        const length = lengths[i % lengths.length] as number;
        const part = reader.push(text.slice(at, at + length));
        content += part.content;
        for (const { index, function: called } of part.calls) {
          if (called.name !== undefined) names[index] = (names[index] ?? '') + called.name;
          written[index] = (written[index] ?? '') + (called.arguments ?? '');
        }
        at += length;
      }
      assert.equal(content, 'I look.');
      assert.deepEqual(names, ['find', 'now']);
      assert.match(written[0] ?? '', /^\{"city": "Oslo"\}/);
      assert.match(written[1] ?? '', /^\{\}/);
    }),
  );
});

test('holds back text that may start a call until it cannot', () => {
  const reader = new ToolCallReader(() => 'id');
  assert.equal(reader.push('a <tool').content, 'a ');
  assert.equal(reader.push('box>').content, '<toolbox>');
});
