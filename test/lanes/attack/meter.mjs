// Loaded into the router under attack: reports its memory and its longest pause when asked.
// A pause is the time on the processor between two runs of a timer, so that a busy machine does not count; on a slow processor, or on
// one that runs another thread beside, it is divided by how much slower than the reference it is just then.
let longestPauseMs = 0;
let last = cpuMs();
setInterval(() => {
  const now = cpuMs();
  longestPauseMs = Math.max(longestPauseMs, now - last);
  last = now;
}, 5).unref();

process.on('message', (message) => {
  if (message !== 'report') return;
  longestPauseMs /= slowness();
  const { rss } = process.memoryUsage();
  const peakRss = process.resourceUsage().maxRSS * 1024;
  process.send?.({ longestPauseMs, rssMiB: rss / 2 ** 20, peakRssMiB: peakRss / 2 ** 20 });
  longestPauseMs = 0;
  last = cpuMs();
});
// The router exits although its parent could still ask.
process.channel?.unref();

function cpuMs() {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}

/** How long `work` takes on the processor of reference, in milliseconds: one core of an Intel Xeon of a cloud, with an idle machine. */
const referenceMs = 17;
const words = new Int32Array(1 << 18);

function work() {
  let hash = 0;
  for (let round = 0; round < 48; round++) {
    for (let i = 0; i < words.length; i++) {
      hash = (Math.imul(hash ^ words[i], 0x01000193) + i) | 0;
      words[i] = hash;
    }
  }
}

/** 1 or more. */
function slowness() {
  const startMs = cpuMs();
  work();
  return Math.max(1, (cpuMs() - startMs) / referenceMs);
}
// Compiled before it is measured.
work();
