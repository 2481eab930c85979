// A scripted stand-in for `vllm serve`, for tests of the supervision of foreign programs: it has vLLM's health and
// model routes, prints its arguments, and dies on request.
import { createServer } from 'node:http';
import { argv, env, exit, stderr, stdout } from 'node:process';

const flag = (name: string): string | undefined => argv[argv.indexOf(name) + 1];

if (env.FAKE_VLLM_FAILS) {
  stderr.write('ValueError: No available memory for the cache blocks.\n');
  exit(1);
}
stdout.write(`args: ${argv.slice(2).join(' ')}\n`);
createServer((request, response) => {
  if (request.url === '/die') exit(3);
  response.setHeader('content-type', 'application/json');
  const model = { id: argv[3], object: 'model', created: 0, owned_by: 'vllm' };
  response.end(JSON.stringify({ object: 'list', data: [model] }));
}).listen(Number(flag('--port')), flag('--host'));
