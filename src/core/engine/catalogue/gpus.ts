// The catalogue of accelerators: what the vendor's datasheet says of each, and which share of it real
// kernels reach.
/** One accelerator. Rates are per GPU. */
export interface GpuSpec {
  readonly name: string;
  /** The file or entry that it was read from; undefined for entries of the catalogue. */
  readonly given?: string;
  /** Total memory as PyTorch reports it; undefined for the CPU, whose cache size is configured. */
  readonly memoryBytes: number | undefined;
  /** bfloat16 tensor throughput without sparsity, fp32 accumulation, operations per second. */
  readonly flopsPerSecond: number;
  readonly memoryBytesPerSecond: number;
  /** Link to the other GPUs of the engine, in one direction. */
  readonly link: {
    readonly kind: 'NVLink' | 'PCIe' | 'memory';
    readonly bytesPerSecond: number;
    /**
     * All-reduces of this many GPUs and more are summed in the switch (NVLink SHARP), by vLLM's
     * `SymmMemCommunicator` from 4 on Hopper, from 6 on Blackwell; undefined: never.
     */
    readonly inSwitchGpusMin?: number;
    /** Measured NCCL all-reduces between two such GPUs, if any: bytes, microseconds. */
    readonly allReduce?: readonly (readonly [number, number])[];
  };
  /** Shares of these rates that large steps reach in measurements. */
  readonly efficiency: {
    readonly matrix: number;
    readonly attention: number;
    readonly memory: number;
    readonly link: number;
  };
  /** The GPU of the same architecture whose fitted constants also apply to this one. */
  readonly kin?: string;
  /** vLLM gives an A100 the small token budget regardless of its memory. */
  readonly isA100: boolean;
  /** Where the rates come from. */
  readonly source: string;
  /** Where `efficiency` comes from: `measured` on this GPU, or `estimated` from a related one. */
  readonly efficiencySource: string;
}

const gibibyte = 2 ** 30;
const tera = 1e12;
const giga = 1e9;

/**
 * NCCL all-reduces in bfloat16 between two RTX PRO 6000, each measured separately (`us_isolated`):
 * casys-kaist/LLMServingSim, profiler/perf/RTXPRO6000/hardware.yaml of 2026-09-08 (MIT). Replayed back to
 * back from one CUDA graph, each takes 20 µs less; in an engine, the GPUs compute between two all-reduces
 * and have to synchronise again. The same host with its PCIe access control switched off reaches 35.7
 * GB/s (2026-10-02); the recorded runs of this host are older than that.
 */
const rtxPro6000AllReduce: readonly (readonly [number, number])[] = [
  [10_240, 36.19],
  [40_960, 37.41],
  [139_264, 43.94],
  [327_680, 51.41],
  [557_056, 63.05],
  [1_114_112, 99.28],
  [1_310_720, 111.57],
  [2_228_224, 169.45],
  [5_242_880, 356.61],
  [8_912_896, 588.83],
  [16_777_216, 1071.63],
  [20_971_520, 1332.64],
];

/** Memory sizes come from the out-of-memory messages of PyTorch on each GPU ("total capacity of … GiB"). */
export const gpus: readonly GpuSpec[] = [
  {
    name: 'A100-80GB',
    memoryBytes: 79.15 * gibibyte,
    flopsPerSecond: 312 * tera,
    memoryBytesPerSecond: 2039 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 300 * giga },
    efficiency: { matrix: 0.55, attention: 0.55, memory: 0.78, link: 0.57 },
    isA100: true,
    source: 'NVIDIA A100 datasheet (SXM 80 GB): 312 TFLOP/s, 2,039 GB/s, NVLink 600 GB/s both ways',
    efficiencySource: 'estimated from H100',
  },
  {
    name: 'H100-80GB',
    memoryBytes: 79.18 * gibibyte,
    flopsPerSecond: 989 * tera,
    memoryBytesPerSecond: 3350 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 450 * giga, inSwitchGpusMin: 4 },
    efficiency: { matrix: 0.5, attention: 0.6, memory: 0.78, link: 0.57 },
    isA100: false,
    source: 'NVIDIA H100 datasheet (SXM): 989 TFLOP/s, 3.35 TB/s, NVLink 900 GB/s both ways',
    efficiencySource: 'fitted: bench/data/vllm-measured-points.csv',
  },
  {
    name: 'H200',
    memoryBytes: 139.8 * gibibyte,
    flopsPerSecond: 989 * tera,
    memoryBytesPerSecond: 4800 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 450 * giga, inSwitchGpusMin: 4 },
    efficiency: { matrix: 0.5, attention: 0.6, memory: 0.76, link: 0.57 },
    isA100: false,
    source: 'NVIDIA H200 datasheet: 989 TFLOP/s, 4.8 TB/s, NVLink 900 GB/s both ways',
    efficiencySource: 'fitted: bench/data/vllm-measured-points.csv',
  },
  {
    name: 'B200',
    memoryBytes: 178.35 * gibibyte,
    flopsPerSecond: 2250 * tera,
    memoryBytesPerSecond: 7700 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 900 * giga, inSwitchGpusMin: 6 },
    efficiency: { matrix: 0.7, attention: 0.6, memory: 0.66, link: 0.57 },
    isA100: false,
    source: 'NVIDIA HGX B200: 2.25 PFLOP/s, 7.7 TB/s, NVLink 1.8 TB/s both ways',
    efficiencySource: 'fitted: bench/data/vllm-measured-points.csv (fp8 only)',
  },
  {
    name: 'L40S',
    memoryBytes: 44.39 * gibibyte,
    flopsPerSecond: 362 * tera,
    memoryBytesPerSecond: 864 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.7, attention: 0.5, memory: 0.8, link: 1 },
    isA100: false,
    source: 'NVIDIA L40S datasheet: 362 TFLOP/s, 864 GB/s; PCIe 4.0 x16 as achieved',
    efficiencySource: 'estimated from RTX 4090',
  },
  {
    name: 'A10',
    memoryBytes: 22.06 * gibibyte,
    flopsPerSecond: 125 * tera,
    memoryBytesPerSecond: 600 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.6, attention: 0.45, memory: 0.8, link: 1 },
    isA100: false,
    source: 'NVIDIA A10 datasheet: 125 TFLOP/s, 600 GB/s; PCIe 4.0 x16 as achieved',
    efficiencySource:
      'estimated from RTX 4090; the 150 W limit keeps its clock below the datasheet',
  },
  {
    name: 'RTX4090',
    memoryBytes: 25_250_627_584,
    flopsPerSecond: 165.2 * tera,
    memoryBytesPerSecond: 1008 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 12 * giga },
    efficiency: { matrix: 0.98, attention: 0.7, memory: 0.85, link: 1 },
    isA100: false,
    source:
      'NVIDIA Ada architecture paper: 165.2 TFLOP/s, 1,008 GB/s; memory from the recorded run; link estimated: no peer access, so data crosses PCIe 4.0 twice',
    efficiencySource:
      'measured: bench/data/vllm-runs/profile/RTX4090_Llama-3.1-8B_tp1; memory is between 0.93 for weights and 0.67 to 0.94 for KV',
  },
  {
    name: 'RTX-PRO-6000',
    memoryBytes: 94.97 * gibibyte,
    flopsPerSecond: 503.8 * tera,
    memoryBytesPerSecond: 1792 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 15.9 * giga, allReduce: rtxPro6000AllReduce },
    efficiency: { matrix: 0.78, attention: 0.45, memory: 0.7, link: 1 },
    isA100: false,
    source:
      'NVIDIA RTX PRO Blackwell architecture paper: 503.8 TFLOP/s, 1,792 GB/s; link measured with NCCL between two',
    efficiencySource:
      'measured: bench/data/vllm-runs/profile/RTXPRO6000_Qwen3-32B_tp2; memory is between 0.78 for weights and 0.5 to 0.82 for KV',
  },
  {
    name: 'L4',
    memoryBytes: 22.03 * gibibyte,
    flopsPerSecond: 121 * tera,
    memoryBytesPerSecond: 300 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 12 * giga },
    efficiency: { matrix: 0.6, attention: 0.45, memory: 0.8, link: 1 },
    isA100: false,
    source: 'NVIDIA L4 datasheet: 242 TFLOP/s with sparsity, 300 GB/s; PCIe 4.0 x16, crossed twice',
    efficiencySource: 'estimated from A10; the 72 W limit keeps its clock below the datasheet',
  },
  {
    name: 'RTX-A6000',
    memoryBytes: 47.4 * gibibyte,
    flopsPerSecond: 154.8 * tera,
    memoryBytesPerSecond: 768 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.7, attention: 0.5, memory: 0.8, link: 1 },
    isA100: false,
    source: 'NVIDIA RTX A6000 datasheet: 309.7 TFLOP/s with sparsity, 768 GB/s; PCIe 4.0 x16',
    efficiencySource: 'estimated from L40S',
  },
  {
    name: 'RTX3090',
    memoryBytes: 23.57 * gibibyte,
    flopsPerSecond: 71 * tera,
    memoryBytesPerSecond: 936 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 12 * giga },
    efficiency: { matrix: 0.95, attention: 0.65, memory: 0.85, link: 1 },
    isA100: false,
    source: 'NVIDIA Ampere GA102 architecture paper: 71 TFLOP/s, 936 GB/s; link as RTX 4090',
    efficiencySource: 'estimated from RTX 4090',
  },
  {
    name: 'RTX5090',
    memoryBytes: 31.36 * gibibyte,
    flopsPerSecond: 209.5 * tera,
    memoryBytesPerSecond: 1792 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.95, attention: 0.65, memory: 0.75, link: 1 },
    isA100: false,
    source: 'NVIDIA RTX Blackwell architecture paper: 209.5 TFLOP/s, 1,792 GB/s; PCIe 5.0 x16',
    efficiencySource: 'estimated from RTX 4090 and RTX PRO 6000',
  },
  {
    name: 'H20',
    memoryBytes: 95.1 * gibibyte,
    flopsPerSecond: 148 * tera,
    memoryBytesPerSecond: 4000 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 450 * giga, inSwitchGpusMin: 4 },
    efficiency: { matrix: 0.85, attention: 0.7, memory: 0.76, link: 0.57 },
    isA100: false,
    source: 'NVIDIA H20 as resellers list it: 148 TFLOP/s, 4.0 TB/s, NVLink 900 GB/s both ways',
    efficiencySource:
      'estimated from H200; the same kernels run at a fraction of its arithmetic rate',
  },
  {
    ...{ name: 'A100-40GB', kin: 'A100-80GB', isA100: true },
    memoryBytes: 39.39 * gibibyte,
    flopsPerSecond: 312 * tera,
    memoryBytesPerSecond: 1555 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 300 * giga },
    efficiency: { matrix: 0.55, attention: 0.55, memory: 0.78, link: 0.57 },
    source: 'NVIDIA A100 datasheet (SXM 40 GB): 312 TFLOP/s, 1,555 GB/s, NVLink 600 GB/s both ways',
    efficiencySource: 'estimated from H100',
  },
  {
    ...{ name: 'A100-PCIe-80GB', kin: 'A100-80GB', isA100: true },
    memoryBytes: 79.15 * gibibyte,
    flopsPerSecond: 312 * tera,
    memoryBytesPerSecond: 1935 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.5, attention: 0.5, memory: 0.78, link: 1 },
    source: 'NVIDIA A100 datasheet (PCIe 80 GB): 312 TFLOP/s, 1,935 GB/s; PCIe 4.0 x16 as achieved',
    efficiencySource: 'estimated from H100; the 300 W limit keeps its clock below that of the SXM',
  },
  {
    ...{ name: 'A800', kin: 'A100-80GB', isA100: true },
    memoryBytes: 79.15 * gibibyte,
    flopsPerSecond: 312 * tera,
    memoryBytesPerSecond: 2039 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 200 * giga },
    efficiency: { matrix: 0.55, attention: 0.55, memory: 0.78, link: 0.57 },
    source: 'An A100 with NVLink of 400 GB/s both ways, as resellers list it',
    efficiencySource: 'estimated from H100',
  },
  {
    ...{ name: 'H100-PCIe', isA100: false },
    memoryBytes: 79.18 * gibibyte,
    flopsPerSecond: 756 * tera,
    memoryBytesPerSecond: 2039 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 50 * giga },
    efficiency: { matrix: 0.5, attention: 0.55, memory: 0.78, link: 1 },
    source: 'NVIDIA H100 datasheet (PCIe): 756 TFLOP/s, 2 TB/s; PCIe 5.0 x16 as achieved',
    efficiencySource: 'estimated from H100 SXM',
  },
  {
    ...{ name: 'H100-NVL', isA100: false },
    memoryBytes: 93.1 * gibibyte,
    flopsPerSecond: 835 * tera,
    memoryBytesPerSecond: 3900 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 300 * giga },
    efficiency: { matrix: 0.5, attention: 0.6, memory: 0.78, link: 0.57 },
    source: 'NVIDIA H100 datasheet (NVL): 835 TFLOP/s, 3.9 TB/s, NVLink 600 GB/s both ways',
    efficiencySource: 'estimated from H100 SXM',
  },
  {
    ...{ name: 'H800', kin: 'H100-80GB', isA100: false },
    memoryBytes: 79.18 * gibibyte,
    flopsPerSecond: 989 * tera,
    memoryBytesPerSecond: 3350 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 200 * giga, inSwitchGpusMin: 4 },
    efficiency: { matrix: 0.5, attention: 0.6, memory: 0.78, link: 0.57 },
    source: 'An H100 with NVLink of 400 GB/s both ways, as resellers list it',
    efficiencySource: 'estimated from H100',
  },
  {
    ...{ name: 'GH200', kin: 'H100-80GB', isA100: false },
    memoryBytes: 94.5 * gibibyte,
    flopsPerSecond: 989 * tera,
    memoryBytesPerSecond: 4000 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 450 * giga, inSwitchGpusMin: 4 },
    efficiency: { matrix: 0.5, attention: 0.6, memory: 0.76, link: 0.57 },
    source: 'NVIDIA GH200 datasheet (96 GB HBM3): 989 TFLOP/s, 4 TB/s, NVLink 900 GB/s both ways',
    efficiencySource: 'estimated from H100',
  },
  {
    ...{ name: 'H200-NVL', isA100: false },
    memoryBytes: 139.8 * gibibyte,
    flopsPerSecond: 835 * tera,
    memoryBytesPerSecond: 4800 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 450 * giga },
    efficiency: { matrix: 0.5, attention: 0.6, memory: 0.76, link: 0.57 },
    source: 'NVIDIA H200 datasheet (NVL): 835 TFLOP/s, 4.8 TB/s, NVLink 900 GB/s both ways',
    efficiencySource: 'estimated from H200 SXM',
  },
  {
    ...{ name: 'GB200', kin: 'B200', isA100: false },
    memoryBytes: 184 * gibibyte,
    flopsPerSecond: 2500 * tera,
    memoryBytesPerSecond: 8000 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 900 * giga, inSwitchGpusMin: 6 },
    efficiency: { matrix: 0.7, attention: 0.6, memory: 0.66, link: 0.57 },
    source: 'NVIDIA GB200 NVL72 datasheet, one GPU: 2.5 PFLOP/s, 8 TB/s, 186 GB',
    efficiencySource: 'estimated from B200',
  },
  {
    ...{ name: 'B300', kin: 'B200', isA100: false },
    memoryBytes: 267.7 * gibibyte,
    flopsPerSecond: 2250 * tera,
    memoryBytesPerSecond: 7700 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 900 * giga, inSwitchGpusMin: 6 },
    efficiency: { matrix: 0.7, attention: 0.6, memory: 0.66, link: 0.57 },
    source: 'NVIDIA HGX B300: 2.25 PFLOP/s, 7.7 TB/s, 270 GB as reported; fp4 counts as on B200',
    efficiencySource: 'estimated from B200',
  },
  {
    ...{ name: 'GB300', kin: 'B200', isA100: false },
    memoryBytes: 276 * gibibyte,
    flopsPerSecond: 2500 * tera,
    memoryBytesPerSecond: 8000 * giga,
    link: { kind: 'NVLink', bytesPerSecond: 900 * giga, inSwitchGpusMin: 6 },
    efficiency: { matrix: 0.7, attention: 0.6, memory: 0.66, link: 0.57 },
    source: 'NVIDIA GB300 NVL72 datasheet, one GPU: 2.5 PFLOP/s, 8 TB/s, 279 GB',
    efficiencySource: 'estimated from B200',
  },
  {
    ...{ name: 'L40', isA100: false },
    memoryBytes: 44.39 * gibibyte,
    flopsPerSecond: 181 * tera,
    memoryBytesPerSecond: 864 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.8, attention: 0.6, memory: 0.8, link: 1 },
    source: 'NVIDIA L40 datasheet: 181 TFLOP/s, 864 GB/s; PCIe 4.0 x16 as achieved',
    efficiencySource: 'estimated from L40S and RTX 4090',
  },
  {
    ...{ name: 'RTX-6000-Ada', isA100: false },
    memoryBytes: 47.4 * gibibyte,
    flopsPerSecond: 364 * tera,
    memoryBytesPerSecond: 960 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.7, attention: 0.5, memory: 0.8, link: 1 },
    source: 'NVIDIA RTX 6000 Ada datasheet: 728 TFLOP/s with sparsity, 960 GB/s; PCIe 4.0 x16',
    efficiencySource: 'estimated from L40S',
  },
  {
    ...{ name: 'A40', isA100: false },
    memoryBytes: 44.4 * gibibyte,
    flopsPerSecond: 149.7 * tera,
    memoryBytesPerSecond: 696 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.7, attention: 0.5, memory: 0.8, link: 1 },
    source: 'NVIDIA A40 datasheet: 149.7 TFLOP/s, 696 GB/s; PCIe 4.0 x16 as achieved',
    efficiencySource: 'estimated from L40S',
  },
  {
    ...{ name: 'A30', isA100: false },
    memoryBytes: 23.5 * gibibyte,
    flopsPerSecond: 165 * tera,
    memoryBytesPerSecond: 933 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 25 * giga },
    efficiency: { matrix: 0.55, attention: 0.5, memory: 0.78, link: 1 },
    source: 'NVIDIA A30 datasheet: 165 TFLOP/s, 933 GB/s; PCIe 4.0 x16 as achieved',
    efficiencySource: 'estimated from A100',
  },
  {
    ...{ name: 'T4', isA100: false },
    memoryBytes: 14.56 * gibibyte,
    flopsPerSecond: 65 * tera,
    memoryBytesPerSecond: 300 * giga,
    link: { kind: 'PCIe', bytesPerSecond: 12 * giga },
    efficiency: { matrix: 0.4, attention: 0.3, memory: 0.75, link: 1 },
    source: 'NVIDIA T4 datasheet: 65 TFLOP/s in float16, 300 GB/s; PCIe 3.0 x16',
    efficiencySource: 'estimated from A10; the 70 W limit keeps its clock below the datasheet',
  },
  {
    name: 'CPU',
    memoryBytes: undefined,
    flopsPerSecond: 20 * tera,
    memoryBytesPerSecond: 307 * giga,
    link: { kind: 'memory', bytesPerSecond: 50 * giga },
    efficiency: { matrix: 0.5, attention: 0.3, memory: 0.7, link: 1 },
    isA100: false,
    source:
      'One socket with AMX and eight channels of DDR5-4800 (307 GB/s); sustained rate of operations',
    efficiencySource: 'estimated',
  },
];
