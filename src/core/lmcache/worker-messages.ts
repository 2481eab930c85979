// What the controller does with each message of a worker, and what it replies.
import { Float, type MessageValue, type WorkerMessage } from './controller-messages.ts';
import type { WorkerRegistry } from './worker-registry.ts';

/**
 * Handles a message to which the worker expects no reply; of unknown types, nothing is done.
 *
 * @param nowSeconds Since 1970, as times of registration are reported.
 */
export function handlePushed(
  registry: WorkerRegistry,
  message: WorkerMessage,
  nowSeconds: number,
): void {
  switch (message.type) {
    case 'BatchedKVOperationMsg':
    case 'KVAdmitMsg':
    case 'KVEvictMsg':
      registry.operate(message, nowSeconds);
      break;
    case 'FullSyncBatchMsg':
      registry.syncBatch(message, nowSeconds);
      break;
    case 'DeRegisterMsg':
      registry.deregister(message);
      break;
    // LMCache 0.3 pushes these, and expects no reply.
    case 'RegisterMsg':
      registry.register(message, nowSeconds);
      break;
    case 'HeartbeatMsg':
      registry.heartbeat(message, nowSeconds);
  }
}

/**
 * Handles a request of a worker.
 *
 * @param heartbeatUrl `host:port` for heartbeats, as the worker reaches it; undefined without.
 * @returns The reply; an `ErrorMsg` for unknown types.
 */
export function handleRequest(
  registry: WorkerRegistry,
  message: WorkerMessage,
  nowSeconds: number,
  heartbeatUrl: string | undefined,
): MessageValue {
  const { syncId: sync_id } = message;
  switch (message.type) {
    case 'RegisterMsg':
      registry.register(message, nowSeconds);
      return {
        type: 'RegisterRetMsg',
        extra_config: heartbeatUrl === undefined ? {} : { heartbeat_url: heartbeatUrl },
      };
    case 'HeartbeatMsg': {
      const full = { command_type: 'full_sync', reason: 'controller_restart', args: null };
      const commands = registry.heartbeat(message, nowSeconds) ? [full] : [];
      return { type: 'HeartbeatRetMsg', commands };
    }
    case 'FullSyncStartMsg': {
      const error = registry.startSync(message, nowSeconds);
      const accepted = error === undefined;
      return { type: 'FullSyncStartRetMsg', sync_id, accepted, error_msg: error ?? null };
    }
    case 'FullSyncStatusMsg': {
      const { isComplete, canExitFreeze, missing } = registry.syncStatus(message, nowSeconds);
      return {
        ...{ type: 'FullSyncStatusRetMsg', sync_id, is_complete: isComplete },
        ...{ global_progress: new Float(registry.syncProgress), can_exit_freeze: canExitFreeze },
        missing_batches: missing,
      };
    }
    case 'BatchedP2PLookupMsg': {
      const best = registry.peerOf(message.keys, message.instanceId);
      const info: MessageValue =
        best === undefined
          ? ['', '', 0, '']
          : [best.instanceId, best.location, best.chunks, best.peerInitUrl ?? ''];
      return { type: 'BatchedP2PLookupRetMsg', layout_info: [info] };
    }
    default:
      return errorMessage(`Invalid value '${message.type}' - at \`$.type\``);
  }
}

/** What a worker gets in reply to what is no request. */
export function errorMessage(error: string): MessageValue {
  return { type: 'ErrorMsg', error };
}
