// Loaded into the router before it starts: on SIGUSR2 it starts to measure pauses of the event loop, and
// on the next one it sends what it found to its parent.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { PausesMessage } from './message.ts';

/** Between two looks at the CPU time; a look costs microseconds. */
const lookMs = 5;

let delay: ReturnType<typeof monitorEventLoopDelay> | undefined;
let timer: NodeJS.Timeout | undefined;
let mostCpuMs = 0;

process.on('SIGUSR2', () => {
  if (delay === undefined) begin();
  else end(delay);
});

function begin(): void {
  delay = monitorEventLoopDelay({ resolution: lookMs });
  delay.enable();
  mostCpuMs = 0;
  let before = process.threadCpuUsage();
  timer = setInterval(() => {
    const now = process.threadCpuUsage();
    const cpuMs = (now.user + now.system - before.user - before.system) / 1000;
    mostCpuMs = Math.max(mostCpuMs, cpuMs);
    before = now;
  }, lookMs);
}

function end(measured: NonNullable<typeof delay>): void {
  measured.disable();
  clearInterval(timer);
  delay = undefined;
  const message: PausesMessage = {
    longestMs: measured.max / 1e6 - lookMs,
    p99Ms: measured.percentile(99) / 1e6 - lookMs,
    mostCpuMs,
  };
  process.send?.(message);
}
