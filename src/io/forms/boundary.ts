/** Longest boundary; RFC 2046 allows 70 bytes, and some clients more. */
const boundaryBytesMax = 256;

/** Parameters of a content type: tokens, or quoted strings without escapes. */
const parameter = /;[ \t]*([\w.*-]+)=(?:"([^"\\]*)"|([\w'()+,./:=?-]+))[ \t]*/y;

/**
 * Returns the boundary that a content type of multipart form data names.
 *
 * @returns undefined if there is none, more than one, or one that readers could take for different ones; or a charset
 * other than UTF-8, in which Starlette would read the fields.
 */
export function boundaryOf(contentType = ''): string | undefined {
  const [type] = /^multipart\/form-data/i.exec(contentType) ?? [];
  if (type === undefined) return undefined;
  let boundary: string | undefined;
  parameter.lastIndex = type.length;
  for (let last = type.length; last < contentType.length; last = parameter.lastIndex) {
    const [, key = '', quoted, token = ''] = parameter.exec(contentType) ?? [];
    const value = quoted ?? token;
    switch (key.toLowerCase()) {
      case 'boundary':
        if (boundary !== undefined) return undefined;
        boundary = value;
        break;
      case 'charset':
        if (!/^utf-?8$/i.test(value)) return undefined;
        break;
      case '':
      case 'boundary*':
        return undefined;
      default:
    }
  }
  if (boundary === undefined || boundary.length > boundaryBytesMax) return undefined;
  // Visible characters, and spaces that are not at the end.
  return /^[!-~ ]*[!-~]$/.test(boundary) ? boundary : undefined;
}
