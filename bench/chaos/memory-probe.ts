// Loaded into a router before the program: collects garbage and reports what is still alive when bench/chaos.ts asks.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

process.on('message', () => {
  // Twice: what finalizers of the first collection release.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.({ liveBytes: heapUsed + external });
});
// The channel does not keep the router alive.
process.channel?.unref();
