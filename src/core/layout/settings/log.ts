// Settings of the log of the embedded engine.
import { none, setting, used } from '../setting.ts';
import { choice, logLevel } from '../value-kinds.ts';

const noLog = none('a simulation has no log');
const notVllm = none('vLLM does not have it');

export const logSettings = {
  logLevel: setting({
    ...{ flag: '--log-level', value: logLevel, default: 'info' },
    about: 'lowest level that is logged',
    effects: { engine: used, simulate: noLog },
  }),
  logFormat: setting({
    ...{ flag: '--log-format', value: choice(['text', 'json'], '<format>'), default: 'text' },
    about: 'format of log lines',
    effects: { engine: used, serve: notVllm, recorded: notVllm, simulate: noLog },
  }),
} as const;
