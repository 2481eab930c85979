// The operator: keeps what is in a Kubernetes cluster as its resources say.
export {
  type OperatorProcess,
  type StartOperatorOptions,
  startOperator,
} from './start-operator.ts';
