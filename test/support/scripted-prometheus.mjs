// A program with the flags of Prometheus that `spillway up` uses. It is ready at once and serves its configuration.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const flag = (name) =>
  process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? '';
const [host, port] = flag('web.listen-address').split(':');
createServer((request, response) => {
  if (request.url === '/-/ready') response.end('ready');
  else response.end(readFileSync(flag('config.file')));
}).listen(Number(port), host);
