// A thousand scripted engines in one process: one listening port, one address of 127.0.0.0/8 for each.
// Started by bench/idle.ts.
//
//   node bench/idle/engines.ts PAGE
//
// PAGE is a recorded page of vLLM's metrics, which every engine returns. Prints the port.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metricsRoute } from './metrics-route.ts';

const [page = ''] = process.argv.slice(2);
const answerMetrics = metricsRoute(page);
const models = JSON.stringify({
  object: 'list',
  data: [{ id: 'm', object: 'model', created: 1, owned_by: 'vllm' }],
});

const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
  '/health': (response) => response.end(),
  '/v1/models': (response) => response.setHeader('Content-Type', 'application/json').end(models),
};

const server = createServer((request, response) => {
  const { url = '' } = request;
  if (answerMetrics(url, response)) return;
  const answer = answers[url];
  if (answer !== undefined) answer(response);
  else response.writeHead(404).end();
});
// As vLLM's server.
server.keepAliveTimeout = 5_000;
server.listen(0, '0.0.0.0', 4_096, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
