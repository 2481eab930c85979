// Whether the model that a request names is served here.
import { modelNotFound } from '../../../core/api/index.ts';
import type { Engine } from '../engine.ts';

/** @throws {ApiError} 404 if the server has no such model or adapter; no name means its own. */
export function checkModel(engine: Engine, model: string | null | undefined): void {
  if (model == null || model === '' || engine.servedModelNames.includes(model)) return;
  if (engine.adapters.find(model) !== undefined) return;
  if (engine.options.allowRuntimeLoraUpdating) engine.adapters.missed();
  throw modelNotFound(model, engine.servedModelNames);
}
