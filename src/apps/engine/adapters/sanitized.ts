// Removes from error messages what vLLM hides from clients.

/**
 * Paths become `<path>`, as in vLLM 0.32's entrypoints/serve/exception_handling/utils.py.
 *
 * @example sanitized('No adapter found for /tmp/a/b'); // 'No adapter found for <path>'
 */
export function sanitized(message: string): string {
  return message
    .replace(/ at 0x[0-9a-fA-F]+>/g, '>')
    .replace(/\/(?:home|usr|opt|var|tmp|root|lib|mnt|srv)(?:\/[\p{L}\p{N}_.-]+)+/gu, '<path>')
    .replace(/(?:\/[\p{L}\p{N}_-]+)+\/[\p{L}\p{N}_-]+\.[\p{L}\p{N}_]+/gu, '<path>')
    .trim();
}
