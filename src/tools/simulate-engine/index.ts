// One recorded vLLM server in virtual time: its run and its report.
export {
  type SimulatedRun,
  type SimulatedRunOptions,
  simulatedRunJson,
  simulatedRunTable,
  simulateRun,
} from './run.ts';
