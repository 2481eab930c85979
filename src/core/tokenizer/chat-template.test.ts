import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatTemplate } from './chat-template.ts';

const render = (source: string, content: string, options = {}) =>
  new ChatTemplate(source, {}).render([{ role: 'assistant', content }], options);

test('templates strip what Python strips', () => {
  const source = '[{{ messages[0].content.lstrip("\\n") }}][{{ messages[0].content.strip() }}]';
  assert.equal(render(source, '\n  a \n'), '[  a \n][a]');
  assert.equal(render(source, '\ufeffa\x1f'), '[\ufeffa\x1f][\ufeffa]');
  assert.equal(
    render("{{ messages[0].content.split('</think>')[-1].rstrip('\\n') }}", 'x</think> y \n\n'),
    ' y ',
  );
});

test('a message to continue is cut at its end, trimmed if the template trims', () => {
  const options = { addGenerationPrompt: false, continueFinalMessage: true };
  const plain = '<{{ messages[-1].content }}>';
  assert.equal(render(plain, 'Hello, ', options), '<Hello, ');
  assert.equal(render(plain, '', options), '<');
  assert.equal(render('<{{ messages[-1].content.strip() }}>', 'Hello, ', options), '<Hello,');
});

test('refuses to continue a message that the template changes, or before a new turn', () => {
  const options = { addGenerationPrompt: false, continueFinalMessage: true };
  assert.throws(
    () => render('{{ messages[-1].content | upper }}', 'a', options),
    /the final message does not appear in the chat after applying the chat template!/,
  );
  assert.throws(
    () => render('{{ messages[-1].content }}', 'a', { ...options, addGenerationPrompt: true }),
    /continue_final_message and add_generation_prompt are not compatible/,
  );
});
