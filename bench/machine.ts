// The machine of a measurement, in one line of a results page.
import { cpus, totalmem } from 'node:os';

/** Processors, memory and Node, for example "2 × AMD EPYC, 16 GiB, Node 24.21.0". */
export function machine(): string {
  const [cpu] = cpus();
  const processors = `${cpus().length} × ${cpu?.model.trim() ?? 'CPU'}`;
  return `${processors}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
}
