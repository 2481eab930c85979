// What a deployment would create, as far as a machine without a cluster can tell: values, chart and objects.
import { changesBetween, type ObjectChange } from './changes.ts';
import { type RenderOptions, renderChart } from './image-list.ts';

/**
 * Renders the chart; every object counts as new.
 *
 * @throws {InputError} If the chart refuses the values, or Helm is missing.
 * @throws {DeployError} If Helm fails.
 */
export async function dryRunWithoutCluster(
  options: RenderOptions,
): Promise<readonly ObjectChange[]> {
  return changesBetween([], await renderChart(options));
}
