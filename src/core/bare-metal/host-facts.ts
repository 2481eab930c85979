// What a host has: systemd, programs, GPUs. A script that tells it, and the reader of what it prints.
import { shellWord } from '../quoting/index.ts';

export interface HostFacts {
  /** Major version; 0 without systemd. */
  readonly systemdVersion: number;
  /** Whether systemd runs the host, and not only its programs are installed. */
  readonly isBooted: boolean;
  /** Indexes of NVIDIA's GPUs, in order. */
  readonly gpus: readonly number[];
  /** Absolute path by name, of the programs that were asked for and found. */
  readonly programs: ReadonlyMap<string, string>;
}

/** @param programs Names or paths. */
export function factsScript(programs: readonly string[]): string {
  return [
    `echo "systemd $(systemctl --version 2>/dev/null | sed -n '1s/[^0-9]*\\([0-9]*\\).*/\\1/p')"`,
    'if [ -d /run/systemd/system ]; then echo booted; fi',
    `nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null | sed 's/^/gpu /' || true`,
    ...programs.map((name) => {
      const word = shellWord(name);
      return `if p=$(command -v ${word}); then printf 'program %s %s\\n' ${word} "$p"; fi`;
    }),
    '',
  ].join('\n');
}

export function parseFacts(text: string): HostFacts {
  const gpus: number[] = [];
  const programs = new Map<string, string>();
  let [systemdVersion, isBooted] = [0, false];
  for (const line of text.split('\n')) {
    const [key, first = '', second = ''] = line.trim().split(' ');
    if (key === 'systemd') systemdVersion = Number(first) || 0;
    else if (key === 'booted') isBooted = true;
    else if (key === 'gpu' && /^\d+$/.test(first)) gpus.push(Number(first));
    else if (key === 'program' && second.startsWith('/')) programs.set(first, second);
  }
  return { systemdVersion, isBooted, gpus, programs };
}
