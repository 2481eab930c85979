// Scripted engines in one process: one listening port, one address of 127.0.0.0/8 for each. The engine at 127.9.0.1 serves
// a model of its own, "special". Started by bench/kubernetes.ts.
//
//   node bench/kubernetes/engines.ts PAGE
//
// PAGE is a recorded page of vLLM's metrics, which every engine returns. Prints the port.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metricsRoute } from '../idle/metrics-route.ts';

const [page = ''] = process.argv.slice(2);
const answerMetrics = metricsRoute(page);
const json = { 'content-type': 'application/json' };

const answers: Readonly<Record<string, (response: ServerResponse, model: string) => void>> = {
  '/health': (response) => response.end(),
  '/v1/models': (response, id) => {
    const data = [{ id, object: 'model', created: 1, owned_by: 'vllm' }];
    response.writeHead(200, json).end(JSON.stringify({ object: 'list', data }));
  },
  '/v1/completions': (response) => response.writeHead(200, json).end('{"choices":[]}'),
};

const server = createServer((request, response) => {
  request.resume();
  const { url = '' } = request;
  if (answerMetrics(url, response)) return;
  const answer = answers[url];
  const isSpecial = request.socket.localAddress?.endsWith('127.9.0.1') === true;
  if (answer !== undefined) answer(response, isSpecial ? 'special' : 'm');
  else response.writeHead(404).end();
});
// As vLLM's server.
server.keepAliveTimeout = 5_000;
server.listen(0, '0.0.0.0', 4_096, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
