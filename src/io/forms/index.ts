// Reads fields of multipart form data that clients upload.
export { formField } from './form-field.ts';
