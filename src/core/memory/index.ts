// The memory that a program holds for its clients, divided among its uses.
export { MemoryBudget, type MemoryShare } from './memory-budget.ts';
