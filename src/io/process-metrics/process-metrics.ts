// The process metrics of Python's client library, which has them only on Linux; here for this
// process.
import { readdirSync, readFileSync } from 'node:fs';
import { platform } from 'node:os';
import type { MetricsRegistry } from '../../core/metrics/index.ts';

/** Declares the families; their values are read for each page. */
export function declareProcessMetrics(registry: MetricsRegistry): void {
  if (platform() !== 'linux') return;
  const gauge = (name: string, help: string) =>
    registry.gauge({ name: `process_${name}`, help }).with();
  const virtualBytes = gauge('virtual_memory_bytes', 'Virtual memory size in bytes.');
  const residentBytes = gauge('resident_memory_bytes', 'Resident memory size in bytes.');
  const startTime = gauge(
    'start_time_seconds',
    'Start time of the process since unix epoch in seconds.',
  );
  startTime.set(Date.now() / 1000 - process.uptime());
  const cpu = registry
    .counter({
      name: 'process_cpu_seconds',
      help: 'Total user and system CPU time spent in seconds.',
    })
    .with();
  const openFiles = gauge('open_fds', 'Number of open file descriptors.');
  const mostFiles = gauge('max_fds', 'Maximum number of open file descriptors.');
  registry.onRender(() => {
    const { user, system } = process.cpuUsage();
    cpu.inc(Math.max(0, (user + system) / 1e6 - cpu.value));
    residentBytes.set(process.memoryUsage.rss());
    virtualBytes.set(readNumber('/proc/self/status', /^VmSize:\s+(\d+) kB/m) * 1024);
    mostFiles.set(readNumber('/proc/self/limits', /^Max open files\s+(\d+)/m));
    openFiles.set(openFileCount());
  });
}

function readNumber(path: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(path, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function openFileCount(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
