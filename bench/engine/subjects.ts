// The programs measured under load: the embedded engine, and a peer.
import { join } from 'node:path';

export interface Subject {
  readonly name: string;
  /** Program and arguments that make it listen on a port, at maximum speed. */
  readonly command: (port: number) => readonly string[];
  /** The same, with one token of each of 200 streams every 20 ms. */
  readonly paced: (port: number) => readonly string[];
}

/** The load requests this model. */
export const named = ['--served-model-name', 'bench'];

/** @param launcher bin/spillway.mjs, of a package or of a clone. */
export function spillwaySubject(launcher: string): Subject {
  const engine = [process.execPath, launcher, 'engine', '--time-scale', 'inf', ...named];
  return {
    name: 'spillway engine',
    command: (port) => [...engine, '--port', `${port}`],
    paced: (port) => [process.execPath, join(import.meta.dirname, 'serve-paced.ts'), `${port}`],
  };
}

/**
 * llm-d-inference-sim, configured to add no time of its own and to run as many sequences as vLLM's
 * default: with its default of 5 the load would wait.
 */
export function peerSubject(binary: string): Subject {
  const flags = (port: number) => [
    ...[binary, '--port', `${port}`, '--model', 'bench', '--max-num-seqs', '1024'],
    ...['--max-model-len', '8192', '--kv-cache-size', '20000'],
  ];
  return {
    name: 'llm-d-inference-sim',
    command: flags,
    paced: (port) => [...flags(port), '--inter-token-latency', '20ms'],
  };
}
