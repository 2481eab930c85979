// The operations on S3 that a cache needs, each with a deadline. Retries are the caller's.
import { pipeline, type Readable, Transform } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';

/** Sockets to the object store. */
const socketsMax = 16;
/**
 * Largest response that is no value. A page of a listing has 1,000 objects (ListObjectsV2's default), whose names of 1 KiB
 * take 6 KiB if each character of them is escaped.
 */
const replyBytesMax = 8 << 20;

export interface S3Options {
  readonly bucket: string;
  /** Of another server than Amazon's, e.g. http://minio:9000; paths have the bucket then. */
  readonly endpoint?: string | undefined;
  /** @default the environment's, then us-east-1 */
  readonly region?: string | undefined;
}

/** A part of an object. */
export interface ObjectRange {
  readonly from: number;
  readonly bytes: number;
  /** Size of the object. */
  readonly of: number;
}

/** An upload in parts that has begun. */
export interface OpenUpload {
  readonly name: string;
  readonly upload: string;
  /** Seconds since 1970. */
  readonly begunSeconds: number;
}

export interface ListedObject {
  readonly name: string;
  readonly size: number;
}

/** Objects of one bucket. Each call fails after its time. */
export interface Objects {
  put(name: string, bytes: Uint8Array, timeoutMs: number): Promise<void>;
  /** Begins an upload in parts. @returns Its identifier. */
  beginUpload(name: string, timeoutMs: number): Promise<string>;
  /** @param number From 1. @returns The part's tag. */
  putPart(
    name: string,
    upload: string,
    number: number,
    bytes: Uint8Array,
    timeoutMs: number,
  ): Promise<string>;
  /** Makes one object of the parts. @param tags Of all parts, in order. */
  completeUpload(
    name: string,
    upload: string,
    tags: readonly string[],
    timeoutMs: number,
  ): Promise<void>;
  /** Removes the parts; an upload that is not there is no error. */
  abortUpload(name: string, upload: string, timeoutMs: number): Promise<void>;
  /** Uploads in parts whose names begin with `prefix`, up to a thousand, that are neither complete nor aborted. */
  uploads(prefix: string, timeoutMs: number): Promise<readonly OpenUpload[]>;
  /**
   * @param range A part of the object. @default all
   * @returns false if there is no such object.
   * @throws If the store returns another range.
   */
  get(
    name: string,
    write: (bytes: Uint8Array) => void,
    timeoutMs: number,
    range?: ObjectRange,
  ): Promise<boolean>;
  remove(names: readonly string[], timeoutMs: number): Promise<void>;
  /** A page of the objects whose names begin with `prefix`, and how to get the next one. */
  list(
    prefix: string,
    after: string | undefined,
    timeoutMs: number,
  ): Promise<{ readonly objects: readonly ListedObject[]; readonly next: string | undefined }>;
  close(): void;
}

/** Loads the SDK, which only servers with an object store need; credentials are those that it finds. */
export async function s3Objects({ bucket, endpoint, region }: S3Options): Promise<Objects> {
  const sdk = await import('@aws-sdk/client-s3');
  const client: S3Client = new sdk.S3Client({
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    region: region ?? process.env['AWS_REGION'] ?? 'us-east-1',
    maxAttempts: 1,
    // Values have a checksum of ours, which is compared when they are read.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      httpAgent: { maxSockets: socketsMax },
      httpsAgent: { maxSockets: socketsMax },
    },
  });
  // The SDK collects a response before it reads it, however long that is.
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        const response = result.response as { body?: unknown; statusCode?: number };
        const isValue = commandName === 'GetObjectCommand' && (response.statusCode ?? 0) < 300;
        if (!isValue && isReadable(response.body)) response.body = bounded(response.body);
        return result;
      },
    // After the SDK's own step, so nearer to the socket.
    { step: 'deserialize', name: 'boundedReply', priority: 'low' },
  );
  const within = async <T>(timeoutMs: number, call: (abortSignal: AbortSignal) => Promise<T>) => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Error(`${timeoutMs} ms`)), timeoutMs);
    try {
      return await call(controller.signal);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    async put(name, bytes, timeoutMs) {
      const put = new sdk.PutObjectCommand({ Bucket: bucket, Key: name, Body: bytes });
      await within(timeoutMs, (abortSignal) => client.send(put, { abortSignal }));
    },
    async beginUpload(name, timeoutMs) {
      const begin = new sdk.CreateMultipartUploadCommand({ Bucket: bucket, Key: name });
      const { UploadId } = await within(timeoutMs, (abortSignal) =>
        client.send(begin, { abortSignal }),
      );
      if (!UploadId) throw new Error('The store began no upload.');
      return UploadId;
    },
    async putPart(name, upload, number, bytes, timeoutMs) {
      const part = { Bucket: bucket, Key: name, UploadId: upload, PartNumber: number, Body: bytes };
      const { ETag } = await within(timeoutMs, (abortSignal) =>
        client.send(new sdk.UploadPartCommand(part), { abortSignal }),
      );
      if (!ETag) throw new Error(`The store did not keep part ${number}.`);
      return ETag;
    },
    async completeUpload(name, upload, tags, timeoutMs) {
      const Parts = tags.map((ETag, i) => ({ ETag, PartNumber: i + 1 }));
      const complete = new sdk.CompleteMultipartUploadCommand({
        ...{ Bucket: bucket, Key: name, UploadId: upload, MultipartUpload: { Parts } },
      });
      await within(timeoutMs, (abortSignal) => client.send(complete, { abortSignal }));
    },
    async abortUpload(name, upload, timeoutMs) {
      const abort = { Bucket: bucket, Key: name, UploadId: upload };
      await within(timeoutMs, (abortSignal) =>
        client.send(new sdk.AbortMultipartUploadCommand(abort), { abortSignal }),
      ).catch((error: Error) => {
        if (error.name !== 'NoSuchUpload') throw error;
      });
    },
    async uploads(prefix, timeoutMs) {
      const list = new sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix });
      const { Uploads = [] } = await within(timeoutMs, (abortSignal) =>
        client.send(list, { abortSignal }),
      );
      return Uploads.flatMap(({ Key: name, UploadId: upload, Initiated }) => {
        if (!name || !upload || Initiated === undefined) return [];
        return [{ name, upload, begunSeconds: Initiated.getTime() / 1000 }];
      });
    },
    async get(name, write, timeoutMs, range) {
      const last = range && range.from + range.bytes - 1;
      const Range = range && `bytes=${range.from}-${last}`;
      return await within(timeoutMs, async (abortSignal) => {
        try {
          const command = new sdk.GetObjectCommand({
            ...{ Bucket: bucket, Key: name },
            ...(Range === undefined ? {} : { Range }),
          });
          const { Body, ContentRange } = await client.send(command, { abortSignal });
          const body = Body as Readable;
          if (range !== undefined && ContentRange !== `bytes ${range.from}-${last}/${range.of}`) {
            body.destroy();
            throw new Error(`The store returned "${ContentRange}" for "${Range}".`);
          }
          // The signal ends the request only up to its head.
          abortSignal.addEventListener('abort', () => body.destroy(abortSignal.reason as Error));
          await received(body, write);
          return true;
        } catch (error) {
          if ((error as Error).name === 'NoSuchKey') return false;
          throw error;
        }
      });
    },
    async remove(names, timeoutMs) {
      const Delete = { Objects: names.map((Key) => ({ Key })), Quiet: true };
      const command = new sdk.DeleteObjectsCommand({ Bucket: bucket, Delete });
      await within(timeoutMs, (abortSignal) => client.send(command, { abortSignal }));
    },
    async list(prefix, after, timeoutMs) {
      const command = new sdk.ListObjectsV2Command({
        ...{ Bucket: bucket, Prefix: prefix },
        ...(after === undefined ? {} : { ContinuationToken: after }),
      });
      const page = await within(timeoutMs, (abortSignal) => client.send(command, { abortSignal }));
      const objects = (page.Contents ?? []).map(({ Key = '', Size = 0 }) => ({
        name: Key,
        size: Size,
      }));
      return { objects, next: page.IsTruncated ? page.NextContinuationToken : undefined };
    },
    close: () => client.destroy(),
  };
}

function isReadable(body: unknown): body is Readable {
  return typeof (body as Readable | undefined)?.pipe === 'function';
}

/** The same bytes, up to a bound; then an error. */
function bounded(body: Readable): Readable {
  let left = replyBytesMax;
  const counter = new Transform({
    transform(bytes: Uint8Array, _encoding, done) {
      left -= bytes.length;
      if (left >= 0) done(null, bytes);
      else done(new Error(`The store sent more than ${replyBytesMax} bytes that are no value.`));
    },
  });
  // The reader of the counter gets the error.
  pipeline(body, counter, () => {});
  return counter;
}

/** By events: an iterator takes two promises for each 64 KiB. */
function received(body: Readable, write: (bytes: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    body.on('data', (bytes: Uint8Array) => {
      try {
        write(bytes);
      } catch (error) {
        body.destroy(error as Error);
      }
    });
    body.once('end', resolve);
    body.once('error', reject);
    body.once('close', () => reject(new Error('The body of an object was cut off.')));
  });
}
