// What the last lines of a container's log say: why an engine ended, and how far one that starts has come.

export interface LogCause {
  readonly cause: string;
  readonly next: string;
}

/** Errors of vLLM, Hugging Face's hub, CUDA and Spillway, with what to do. The first that fits is the cause. */
const causes: readonly (LogCause & { readonly pattern: RegExp })[] = [
  {
    pattern: /GatedRepoError|gated repo|Access to model .* is restricted|awaiting a review/i,
    cause: 'the model is gated on Hugging Face, and the token may not read it',
    next: "accept the model's licence on its page, and set hf_token of the model",
  },
  {
    pattern:
      /401 Client Error|RepositoryNotFoundError|Invalid (?:user )?token|Invalid username or password/i,
    cause: 'Hugging Face does not know the model, or does not accept the token',
    next: 'check modelURL and hf_token of the model',
  },
  {
    pattern:
      /Max retries exceeded|Name or service not known|Temporary failure in name resolution|Network is unreachable|LocalEntryNotFoundError|couldn't connect to 'https:\/\/huggingface/i,
    cause: 'the model cannot be downloaded: the pod does not reach Hugging Face',
    next: 'allow egress to huggingface.co, set HF_ENDPOINT in env to a mirror, or put the model on a volume and set modelURL to its path',
  },
  {
    pattern: /429 Client Error|Too Many Requests.*huggingface/i,
    cause: 'Hugging Face limits the rate of downloads',
    next: 'set hf_token, and pvcStorage so that replicas do not download again',
  },
  {
    pattern: /No space left on device|ENOSPC/i,
    cause: 'the volume is full',
    next: 'raise pvcStorage',
  },
  {
    pattern:
      /CUDA out of memory|OutOfMemoryError|No available memory for the cache blocks|Free memory on device .* is less than/i,
    cause: "the model does not fit into the GPU's memory",
    next: 'lower maxModelLen or gpuMemoryUtilization, raise tensorParallelSize, or take a quantized model ("spillway simulate" shows what fits)',
  },
  {
    pattern:
      /larger than the maximum number of tokens that can be stored in KV cache|KV cache is needed, which is larger than/i,
    cause: 'the KV cache does not hold one request of maxModelLen tokens',
    next: 'lower maxModelLen, or raise gpuMemoryUtilization or tensorParallelSize',
  },
  {
    pattern: /too many resources requested for launch/i,
    cause: 'the GPU is older than what this vLLM supports (compute capability below 8.0)',
    next: 'take another GPU, or an older vLLM',
  },
  {
    pattern:
      /Failed to infer device type|No CUDA GPUs are available|CUDA driver version is insufficient|Found no NVIDIA driver|libcuda\.so/i,
    cause: 'the container has no usable GPU driver',
    next: 'check the driver and the NVIDIA container toolkit of the node, and runtimeClassName',
  },
  {
    pattern:
      /tensor parallel size .* cannot be larger|World size \(\d+\) is larger than the number of available GPUs/i,
    cause: 'tensorParallelSize is larger than the number of GPUs of the pod',
    next: 'set requestGPU to tensorParallelSize',
  },
  {
    pattern: /must be divisible by tensor parallel size/i,
    cause: "the model's attention heads are not divisible by tensorParallelSize",
    next: 'choose another tensorParallelSize',
  },
  {
    pattern: /unrecognized arguments|error: argument|unknown option|error: option/i,
    cause: 'the program does not know a flag',
    next: "check extraArgs and the image's version",
  },
  {
    pattern: /Permission denied|Read-only file system|EACCES|EROFS/i,
    cause: 'the container may not write a file',
    next: 'check securityContext, and give HF_HOME a writable volume',
  },
];

/** How a start goes on, from the line that says so. */
const stages: readonly {
  readonly pattern: RegExp;
  readonly stage: (match: RegExpExecArray) => string;
}[] = [
  { pattern: /Application startup complete/, stage: () => 'started, not ready yet' },
  {
    pattern: /Capturing (?:CUDA|cudagraph|CUDA graph).*?(\d+)%/i,
    stage: ([, p]) => `capturing CUDA graphs, ${p} %`,
  },
  { pattern: /torch\.compile|Compiling a graph/i, stage: () => 'compiling the model' },
  {
    pattern: /Loading safetensors checkpoint shards:\s+(\d+)%/,
    stage: ([, p]) => `loading weights, ${p} %`,
  },
  {
    pattern: /(?:Downloading|Fetching)[^\r\n]*?\b(\d+)%/,
    stage: ([, p]) => `downloading the model, ${p} %`,
  },
  {
    pattern: /Starting to load model|Loading model weights|Loading weights/i,
    stage: () => 'loading or downloading the model',
  },
];

/** Returns what ended the program; undefined if no line is known. Later lines win, as the first error is repeated. */
export function causeOf(lines: readonly string[]): LogCause | undefined {
  const text = lines.join('\n');
  const found = causes.find(({ pattern }) => pattern.test(text));
  return found && { cause: found.cause, next: found.next };
}

/** Returns how far the start has come, by the last line that says so. */
export function stageOf(lines: readonly string[]): string | undefined {
  for (const line of lines.toReversed()) {
    for (const { pattern, stage } of stages) {
      const match = pattern.exec(line);
      if (match !== null) return stage(match);
    }
  }
  return undefined;
}
