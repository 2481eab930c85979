// Loaded into the router under attack: reports its memory and its longest pause when asked.
// A pause is the time on the processor between two runs of a timer, so that a busy machine does not count.
let longestPauseMs = 0;
let last = cpuMs();
setInterval(() => {
  const now = cpuMs();
  longestPauseMs = Math.max(longestPauseMs, now - last);
  last = now;
}, 5).unref();

process.on('message', (message) => {
  if (message !== 'report') return;
  const { rss } = process.memoryUsage();
  const peakRss = process.resourceUsage().maxRSS * 1024;
  process.send?.({ longestPauseMs, rssMiB: rss / 2 ** 20, peakRssMiB: peakRss / 2 ** 20 });
  longestPauseMs = 0;
});
// The router exits although its parent could still ask.
process.channel?.unref();

function cpuMs() {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}
