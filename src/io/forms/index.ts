// Reads and replaces fields of multipart form data that clients upload.
export { formField } from './form-field.ts';
export { replaceFormField } from './replace-field.ts';
