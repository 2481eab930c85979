// Bucket bounds of vLLM's histograms (vLLM 0.32, v1/metrics/loggers.py).

export const firstTokenSeconds = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
  160, 640, 2560,
];

export const tokenSeconds = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];

export const requestSeconds = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];

export const iterationTokens = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];
/** Lifetimes of KV blocks. */
export const blockSeconds = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600,
  1200, 1800,
];
export const choices = [1, 2, 5, 10, 20];
export const preemptions = [1, 2, 3, 4, 5, 10, 20];

/** 1, 2, 5, 10, 20, 50 … up to the longest context. */
export function tokenCounts(maxModelLen: number): number[] {
  const bounds: number[] = [];
  for (let decade = 1; ; decade *= 10) {
    for (const mantissa of [1, 2, 5]) {
      if (mantissa * decade > maxModelLen) return bounds;
      bounds.push(mantissa * decade);
    }
  }
}
