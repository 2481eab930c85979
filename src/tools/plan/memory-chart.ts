// Chart of the memory of one GPU.
import { gigabytes, type Markup, missingChart, sharesBar } from '../report/index.ts';
import type { Plan } from './plan.ts';

export function memoryChart({ layout }: Plan): Markup {
  const { gpu, memory } = layout;
  const title = `Memory of one ${gpu.name}`;
  if (memory === undefined) {
    return missingChart(title, 'The KV cache of a CPU has a configured size.');
  }
  return sharesBar({
    title,
    parts: [
      { name: 'weights', value: memory.weightBytes, colour: 0 },
      {
        name: 'activations, CUDA',
        value: memory.activationBytes + memory.logitsBytes + memory.fixedBytes,
        colour: 5,
      },
      { name: 'KV cache', value: memory.kvCacheBytes, colour: 'good' },
      { name: 'headroom', value: memory.headroomBytes, colour: 'line' },
    ],
    text: gigabytes,
  });
}
